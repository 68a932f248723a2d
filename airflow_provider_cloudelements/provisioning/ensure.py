"""Ensure exactly one instance of a key, although answers get lost and tasks are killed or repeated.

The platform has no idempotency key: two POSTs make two instances, and an answer can be lost after the
instance exists. So each instance carries a marker tag made from its key. Every try looks for this tag before
it creates. After a create whose outcome is not known, it looks repeatedly instead of sending a second POST.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from airflow_provider_cloudelements.client.arguments import one_of
from airflow_provider_cloudelements.client.elements import ElementsApi
from airflow_provider_cloudelements.client.instances import InstancesApi
from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.tags import of_another_key, origin_tag
from airflow_provider_cloudelements.client.target import Target, oldest_first
from airflow_provider_cloudelements.client.wire.doubt import may_have_acted, settle_seconds
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConflictError,
    CloudElementsError,
    CloudElementsNotFoundError,
)
from airflow_provider_cloudelements.provisioning.codes import (
    ASK_AGAIN,
    Code,
    advise_on_refusal,
    check_before_create,
)
from airflow_provider_cloudelements.provisioning.difference import (
    IN_FIELDS,
    Difference,
    check_fit,
    check_read_back,
    left_out,
)
from airflow_provider_cloudelements.provisioning.doubt import in_doubt, looked_for
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints
from airflow_provider_cloudelements.provisioning.memory import CallMemory, Memory
from airflow_provider_cloudelements.provisioning.mending import (
    Writer,
    needs_mending,
    why_not_mended,
    with_own_tags,
    write,
)
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec
from airflow_provider_cloudelements.provisioning.twins import Twins

log = logging.getLogger(__name__)

IF_EXISTS = ("update", "reuse", "fail")


@dataclass(frozen=True, slots=True)
class Ensured:
    """Hold the result of :func:`ensure`.

    :param instance: The instance, as read back at the end.
    :param created: Whether this call made it, rather than an earlier one or a person.
    :param changed: Names of what was written to an existing instance; never values.
    :param twins: Ids of younger instances with the same key.
    """

    instance: Instance
    created: bool
    changed: tuple[str, ...] = ()
    twins: tuple[int, ...] = ()


def ensure(
    instances: InstancesApi,
    spec: InstanceSpec,
    *,
    if_exists: str = "update",
    settle_time: float | None = None,
    delete_twins: bool = False,
    with_token: bool = True,
    memory: Memory | None = None,
    on_id: Callable[[int], None] | None = None,
) -> Ensured:
    """Ensure that exactly one instance of a key exists and matches its specification.

    :param instances: The account's instances.
    :param spec: The specification.
    :param if_exists: ``update`` makes an existing instance match the specification, ``reuse`` takes it as
        it is, ``fail`` refuses it unless an earlier try of the same origin made it.
    :param settle_time: Seconds to go on looking for an instance after a create whose outcome is not
        known; default: the connection's ``create_timeout``, because the server may still be at work.
    :param delete_twins: Whether to delete younger instances of the same key; the result always names them.
    :param with_token: Whether the returned instance holds its token.
    :param memory: Remembers over tries what the platform does not keep; default: only within this call.
    :param on_id: Function that gets the instance's id as soon as it is known. A later failure carries it as
        ``instance_id``.
    :raises CloudElementsConflictError: The instance has another element or name, or ``if_exists`` is
        ``fail``.
    :raises CloudElementsInstanceDisabledError: The instance is disabled or invalid, and nothing in the
        specification can mend it.
    :raises CloudElementsAmbiguousCreateError: It is not known whether the create took place.
    :raises CloudElementsNotFoundError: There is no such element.
    :raises CloudElementsValidationError: Before a code goes out: the element requires configuration that the
        specification does not give.
    :raises CloudElementsError: Any other failure of a call.
    """
    return Ensure(
        instances,
        spec,
        if_exists=if_exists,
        settle_time=settle_time,
        delete_twins=delete_twins,
        with_token=with_token,
        memory=memory,
        on_id=on_id,
    ).run()


class Ensure:
    """Run :func:`ensure` once. See there for the parameters."""

    def __init__(
        self,
        instances: InstancesApi,
        spec: InstanceSpec,
        *,
        if_exists: str = "update",
        settle_time: float | None = None,
        delete_twins: bool = False,
        with_token: bool = True,
        memory: Memory | None = None,
        on_id: Callable[[int], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        one_of("if_exists", if_exists, IF_EXISTS)
        settings = instances.http.settings
        self.instances = instances
        self.spec = spec
        self.if_exists = if_exists
        self.settle_time = settle_seconds(settings, settle_time)
        self._twins = Twins(instances, spec.key, delete_twins)
        self.with_token = with_token
        self.memory = memory if memory is not None else CallMemory()
        self.fingerprints = Fingerprints(settings, spec.marker, spec.identity.former_markers)
        self._on_id = on_id
        self._known_id: int | None = None
        self._told_id: int | None = None
        self._sleep = sleep
        self._clock = clock

    def run(self) -> Ensured:
        """Look the instance up. Keep it if it exists, else create it."""
        self._writer = Writer(
            self.instances, self.fingerprints, self.memory, self.settle_time, self._sleep, self._clock
        )
        # What an earlier try made or found is known before anything else is.
        self._known_id = self.memory.instance_id(self.spec.marker)
        try:
            found = self._known()
            ensured = self._keep(found) if found else self._create()
            return replace(ensured, instance=self._handed_out(ensured.instance))
        except CloudElementsError as error:
            if self._known_id is not None:
                self._tell(self._known_id)
                error.instance_id = self._known_id
            raise

    def _tell(self, instance_id: int) -> None:
        """Report the id of the instance as soon as it is known for sure."""
        self._known_id = instance_id
        if instance_id != self._told_id:
            self._told_id = instance_id
            if self._on_id is not None:
                self._on_id(instance_id)

    def _handed_out(self, instance: Instance) -> Instance:
        if not self.with_token:
            return replace(instance, token=None)
        if instance.token is None:
            return self.instances.get(instance.id, with_token=True)
        return self.instances.hand_out(instance)

    # -- looking up -----------------------------------------------------------------------------------

    def _look_up(self) -> list[Instance]:
        # An empty result is proof that there is none: the list raises an error if it was not whole.
        return Target.of_identity(self.spec.identity).find(self.instances, with_tokens=True)

    def _whole(self, instance: Instance) -> Instance:
        """Return an instance with all that the comparison needs: as listed if the list has it, else read.

        :raises CloudElementsNotFoundError: It is gone.
        """
        whole = instance.complete and not left_out(self.spec.configuration, instance)
        return instance if whole else self.instances.peek(instance.id)

    def _known(self) -> list[Instance]:
        """Return the instances of the key, oldest first: those with the marker, and the one remembered."""
        found = {instance.id: instance for instance in self._look_up()}
        remembered = self.memory.instance_id(self.spec.marker)
        if remembered is not None and remembered not in found:
            try:
                instance = self.instances.peek(remembered)
            except CloudElementsNotFoundError:
                log.info("Instance %d, remembered from an earlier try, is gone.", remembered)
                self._known_id = None
            else:
                # Somebody removed its marker. The next write restores it, unless the instance has become that
                # of another key since.
                if of_another_key(instance.tags, self.spec.identity.key_tag):
                    self._known_id = None
                else:
                    found[remembered] = instance
        return oldest_first(found.values())

    # -- making one -----------------------------------------------------------------------------------

    def _create(self) -> Ensured:
        spec = self.spec
        if found := self._still_under_way():
            return self._keep(found)
        if spec.provider_data:
            self._code().check_unsent(repr(spec.key), "no instance was found")
            check_before_create(ElementsApi(self.instances.http), spec)
            self._code().going_out()
        self.memory.create_begins(spec.marker)
        doubt: CloudElementsError | None = None
        refusal: CloudElementsError | None = None
        try:
            made = self.instances.create(
                element=spec.element,
                name=spec.name,
                configuration=spec.configuration,
                provider_data=spec.provider_data,
                tags=spec.tags_to_create(self.fingerprints),
                external_authentication=spec.external_authentication,
                with_token=False,  # handed out at the end
            )
        except CloudElementsError as error:
            if may_have_acted(error):
                doubt = error
            else:
                refusal = error
        if refusal is not None:
            self._refused(refusal)
        if doubt is not None:
            # Outside the handler, so that the doubt does not become the context of a later error.
            made = self._settle(doubt)
        self.memory.remember(spec.marker, made.id)
        self.memory.create_ended(spec.marker)
        log.info("Instance %d was made for %r.", made.id, spec.key)
        self._tell(made.id)
        return self._after_create(made)

    def _refused(self, error: CloudElementsError) -> NoReturn:
        """Raise the error of a create that did not take place, with what to do about it."""
        self.memory.create_ended(self.spec.marker)
        if self.spec.provider_data:
            self._code().refused(error)
        elif error.status is not None:
            advise_on_refusal(ElementsApi(self.instances.http), self.spec, error)
        raise error

    def _still_under_way(self) -> list[Instance]:
        """Wait for the create of an earlier try that was killed: the server may still be at work on it."""
        since = self.memory.since_create(self.spec.marker)
        # A try that was not killed would wait as long: for the answer, and then for the instance.
        left = self.instances.http.settings.create_timeout + self.settle_time - (since or 0.0)
        if since is None or left <= 0:
            return []
        log.warning("An earlier try ended during its create. Looking for the instance for %.0f s.", left)
        found, failure = self._look_for(left)
        if failure is not None:
            # The last look-up shows nothing, so it does not show that a create would make the only one.
            raise failure
        return found

    def _code(self) -> Code:
        return Code(self.spec.login, self.fingerprints, self.memory)

    def _settle(self, doubt: CloudElementsError) -> Instance:
        """Go on looking for the instance of a create in doubt; the server may still be at work."""
        log.warning(
            "It is not known whether the instance was made: %s Looking for it for %.0f s.",
            doubt,
            self.settle_time,
        )
        found, _ = self._look_for(self.settle_time)
        if found:
            return found[0]
        # The full time is over, so forget the create. The note is only for tries that are killed.
        self.memory.create_ended(self.spec.marker)
        code_spent = bool(self.spec.provider_data)
        advice = (
            f"The create carried an authorization code, which may be spent: {ASK_AGAIN}, unless the instance "
            "has appeared by then."
            if code_spent
            else "The next try looks for it first."
        )
        raise in_doubt(
            f"It is not known whether the instance of {self.spec.key!r} was made, and none was found within "
            f"{self.settle_time:.0f} s. {advice}",
            doubt,
            code_spent=code_spent,
        )

    def _look_for(self, seconds: float) -> tuple[list[Instance], CloudElementsError | None]:
        return looked_for(self._look_up, seconds, self._sleep, self._clock)

    def _after_create(self, made: Instance) -> Ensured:
        """Check whether another task made one at the same time, and whether event settings took effect."""
        # Take the listed form if the list has it. The list may show a new instance late.
        listed = self._look_up()
        found = oldest_first(({made.id: made} | {each.id: each for each in listed}).values())
        if found[0].id != made.id:
            with self._twins.reporting_loss(made):
                return self._lost_race(made, found)
        listed_form = next((each for each in listed if each.id == made.id), replace(made, complete=False))
        oldest = self._whole(listed_form)
        sent = Difference(tags=tuple(self.spec.tags_to_create(self.fingerprints)))
        oldest = with_own_tags(self.instances, made, sent, oldest)
        self._check_origin(oldest)
        ensured = self._make_as_asked(oldest, without_credentials=True)
        twins = self._twins.report(found, ensured.instance)
        return replace(ensured, created=True, changed=(), twins=twins)

    def _lost_race(self, made: Instance, found: list[Instance]) -> Ensured:
        """Go on with an older instance of the key, which another task made at the same time."""
        oldest = self._whole(found[0])
        log.warning("Instance %d of the same key is older than %d, just made.", oldest.id, made.id)
        check_fit(self.spec, oldest)
        self._check_origin(oldest)
        self.memory.remember(self.spec.marker, oldest.id)
        self._tell(oldest.id)
        # The credentials went to our instance, which is now the twin. Write the rest to the oldest.
        reuse = self.if_exists == "reuse"
        ensured = self._reuse(oldest) if reuse else self._make_as_asked(oldest, without_credentials=True)
        twins = self._twins.report(found, ensured.instance)
        return replace(ensured, created=False, changed=(), twins=twins)

    # -- keeping one ----------------------------------------------------------------------------------

    def _keep(self, found: list[Instance]) -> Ensured:
        try:
            instance = self._whole(found[0])
        except CloudElementsNotFoundError:  # deleted since the look-up
            return self._keep(found[1:]) if found[1:] else self._create()
        # What an earlier try made may have become a twin since.
        remembered = self.memory.instance_id(self.spec.marker)
        with self._twins.reporting_loss(next((each for each in found[1:] if each.id == remembered), None)):
            check_fit(self.spec, instance)
            self._check_origin(instance)
            self.memory.remember(self.spec.marker, instance.id)
            self._tell(instance.id)
            ensured = self._reuse(instance) if self.if_exists == "reuse" else self._make_as_asked(instance)
            return replace(ensured, twins=self._twins.report(found, ensured.instance))

    def _check_origin(self, instance: Instance) -> None:
        ours = self.spec.origin is not None and origin_tag(self.spec.origin) in instance.tags
        if self.if_exists == "fail" and not ours:
            raise CloudElementsConflictError(
                f"Instance {instance.id} ({instance.name!r}) of {self.spec.key!r} exists already, and "
                "if_exists is 'fail'. Give 'reuse' to take it, or 'update' to make it as asked."
            )

    def _reuse(self, instance: Instance) -> Ensured:
        if not instance.healthy:
            raise needs_mending(instance, "if_exists='reuse' does not mend it")
        difference = Difference.between(self.spec, instance, self.fingerprints)
        if difference.configuration or difference.provider_data:
            log.info("Instance %d is reused as it is; it differs in: %s", instance.id, difference.names)
        if self.spec.marker not in instance.tags:
            marked = Difference(tags=self.spec.identity.marked(instance.tags))
            instance = replace(write(self.instances, instance, marked), token=instance.token)
        return Ensured(instance, created=False)

    def _make_as_asked(self, instance: Instance, *, without_credentials: bool = False) -> Ensured:
        """Write what differs, read it back, and check that the platform accepted it.

        :param instance: As it is.
        :param without_credentials: Write no credentials: the create has just sent them.
        """
        spec = self.spec.without_credentials() if without_credentials else self.spec
        difference = Difference.between(spec, instance, self.fingerprints)
        if not (instance.healthy or difference.mends or self._writer.disabled_by_us(instance)):
            if not instance.disabled:  # unless by an earlier try
                self._writer.disable_again(instance)
            raise needs_mending(instance, why_not_mended(difference, self.spec))
        if difference.unknown:
            log.warning(
                "Nobody can tell whether instance %d has the present %s: they read as asterisks, and it has "
                "no fingerprint of them that this connection can read. They are not sent. If they have "
                "changed, re-authenticate the instance.",
                instance.id,
                " and ".join(difference.unknown),
            )
        final = instance
        if difference.names or not instance.healthy:
            final = self._writer.give(instance, difference, lambda each: each.healthy)
        else:
            self._writer.mended(instance)
        check_read_back(final, self.spec.configuration, IN_FIELDS)
        return Ensured(final, created=False, changed=difference.names)
