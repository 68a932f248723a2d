"""Give an instance credentials, find out in doubt, verify, and undo: the one code for all who do so."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.tags import own_tags
from airflow_provider_cloudelements.client.wire.doubt import looks, may_have_acted
from airflow_provider_cloudelements.exceptions import CloudElementsError, CloudElementsInstanceDisabledError
from airflow_provider_cloudelements.provisioning.codes import ASK_AGAIN, Code, check_before_login
from airflow_provider_cloudelements.provisioning.difference import Difference, hidden, same_value
from airflow_provider_cloudelements.provisioning.doubt import in_doubt
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints, fingerprint_tags
from airflow_provider_cloudelements.provisioning.memory import Memory
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec, login_of

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.instances import InstancesApi

log = logging.getLogger(__name__)

#: How often a write restores its own tags before it gives up and warns.
_MOST_RESTORES = 3


class Writer:
    """Give differences to instances.

    :param instances: The account's instances.
    :param fingerprints: Made with the instance's marker.
    :param memory: Remembers over tries which codes were sent, and which instances they enabled or disabled.
    :param settle_time: Seconds to find out whether a write in doubt took place.
    :param sleep: Replaces ``time.sleep`` in tests.
    :param clock: Replaces ``time.monotonic`` in tests.
    """

    def __init__(
        self,
        instances: InstancesApi,
        fingerprints: Fingerprints,
        memory: Memory,
        settle_time: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._instances = instances
        self._fingerprints = fingerprints
        self._memory = memory
        self._settle_time = settle_time
        self._sleep = sleep
        self._clock = clock

    def give(self, instance: Instance, difference: Difference, works: Callable[[Instance], bool]) -> Instance:
        """Enable the instance if it is disabled, write what differs, and verify that it works.

        A code goes out once. If the answer to a code or to a write to an enabled instance is lost, the
        instance itself shows whether the write took place.

        :param instance: As it is, with its token if ``works`` needs it.
        :param difference: What to write; its tags are the whole list. It may be empty.
        :param works: Function of the instance as read back; returns whether it works.
        :return: The instance as read back. It works.
        :raises CloudElementsInstanceDisabledError: The instance does not work. If it was disabled before, it
            is disabled again.
        :raises CloudElementsAmbiguousCreateError: It is not known whether the platform used the code.
        :raises CloudElementsValidationError: A code cannot go out, because the instance has no callback URL.
        :raises CloudElementsError: Any other failure. If the write did not take place, an instance that was
            disabled before is disabled again.
        """
        code = self._checked_code(instance, difference) if difference.provider_data else None
        if instance.disabled:
            self._enable(instance)
        final = self._write(instance, difference, code)
        if instance.disabled and final.disabled:
            # The platform disabled it again between our enabling and the new credentials.
            self._instances.enable(final.id)
            final = self._instances.peek(final.id)
        if not works(final):
            self.disable_again(instance)
            raise needs_mending(final, "the credentials given did not mend it")
        self.mended(final)
        return final

    def disabled_by_us(self, instance: Instance) -> bool:
        """Return whether a disabled instance is so because of an earlier try, and not because of a person.

        What works now decides about such an instance, and not that it has the credentials already: the try
        may have disabled it although its write took place.

        :param instance: As it is.
        """
        return instance.disabled and (self._memory.disabled(instance.id) or self._memory.enabled(instance.id))

    def disable_again(self, instance: Instance) -> None:
        """Disable an instance that was enabled and still does not work, so that it does not look healthy.

        :param instance: As it was before. An earlier try that was killed may have enabled it.
        """
        if self._opened(instance):
            try:
                self._instances.disable(instance.id)
            except CloudElementsError as error:
                log.warning("Instance %d could not be disabled again: %s", instance.id, error)
            else:
                self._memory.disabling(instance.id)

    def mended(self, instance: Instance) -> None:
        """Note that the instance works: nothing must disable it again.

        :param instance: The instance.
        """
        self._memory.enabling_ended(instance.id)

    def _opened(self, instance: Instance) -> bool:
        """Return whether this try or an earlier one enabled an instance that was disabled."""
        return instance.disabled or self._memory.enabled(instance.id)

    def _checked_code(self, instance: Instance, difference: Difference) -> Code:
        code = Code(login_of(difference.provider_data), self._fingerprints, self._memory)
        try:
            code.check_unsent(f"instance {instance.id}", "the instance shows no sign of it")
            check_before_login(instance, difference.configuration)
        except CloudElementsError:
            if not instance.disabled:  # unless by an earlier try
                self.disable_again(instance)
            raise
        return code

    def _enable(self, instance: Instance) -> None:
        # Enable first: a try that ends here then leaves a difference that the next one sees.
        self._memory.enabling(instance.id)
        try:
            self._instances.enable(instance.id)
        except CloudElementsError as error:
            if may_have_acted(error):
                self.disable_again(instance)
            else:
                self._memory.enabling_ended(instance.id)
            raise

    def _write(self, instance: Instance, difference: Difference, code: Code | None) -> Instance:
        """Write what differs. Return the instance as it is then."""
        if not difference.names:
            return self._instances.peek(instance.id)
        if code is not None:
            code.going_out()
        try:
            answer = send(self._instances, instance, difference)
        except CloudElementsError as error:
            if not may_have_acted(error):
                if code is not None:
                    code.refused(error)
                self.disable_again(instance)
                raise
            if code is None and not self._opened(instance):
                raise  # the next try compares, and writes what differs
            doubt = error
        else:
            only_tags = not difference.configuration and not difference.provider_data
            if not (only_tags and answer.complete) or instance.disabled:
                answer = self._instances.peek(instance.id)
            return self._confirmed(instance, difference, answer)
        # Outside the handler, so that the doubt does not become the context of a later error.
        return self._confirmed(instance, difference, self._settled(instance, difference, doubt, code))

    def _settled(
        self, instance: Instance, difference: Difference, doubt: CloudElementsError, code: Code | None
    ) -> Instance:
        """Find out whether a write in doubt took place, and return the instance as it is then.

        Raise an error if the write did not take place, or if nobody knows.
        """
        known = False
        for _ in looks(self._settle_time, self._sleep, self._clock):
            try:
                now = self._instances.peek(instance.id)
            except CloudElementsError as error:
                log.warning("The look-up failed: %s", error)
                continue
            if _shows(now, difference):
                return now
            known = True
        if not known and self._opened(instance):
            # To disable it could undo a write that took place. The next try sees which it was.
            log.warning("Instance %d stays enabled: it is not known whether it was changed.", instance.id)
        else:
            self.disable_again(instance)
        if code is None:
            raise doubt
        raise in_doubt(
            f"It is not known whether instance {instance.id} was re-authenticated. The authorization code "
            f"may be spent: {ASK_AGAIN}.",
            doubt,
            code_spent=True,
        )

    def _confirmed(self, instance: Instance, difference: Difference, after: Instance) -> Instance:
        """Return the instance after a write, with all own tags and with its token."""
        after = with_own_tags(self._instances, instance, difference, after)
        return after if after.token else replace(after, token=instance.token)


def write(instances: InstancesApi, instance: Instance, difference: Difference) -> Instance:
    """Write what differs, in one call, and confirm it.

    :param instances: The account's instances.
    :param instance: As it is.
    :param difference: What to write; its tags are the whole list.
    :return: The instance after the write: read back if configuration was written, else from the answer.
    :raises CloudElementsError: A call failed.
    """
    final = send(instances, instance, difference)
    if difference.configuration or not final.complete:
        final = instances.get(instance.id)
    return with_own_tags(instances, instance, difference, final)


def send(instances: InstancesApi, instance: Instance, difference: Difference) -> Instance:
    """Write what differs, in one call.

    :param instances: The account's instances.
    :param instance: As it is.
    :param difference: What to write; its tags are the whole list.
    :return: The instance, as the answer shows it.
    :raises CloudElementsError: The call failed.
    """
    log.info("Instance %d: writing %s.", instance.id, ", ".join(difference.names))
    return instances.update(
        instance.id,
        name=difference.name,
        configuration=difference.configuration,
        provider_data=difference.provider_data,
        tags=difference.tags,
    )


def with_own_tags(
    instances: InstancesApi, before: Instance, difference: Difference, after: Instance
) -> Instance:
    """Restore this provider's own tags that another writer dropped at the same time.

    A write of tags replaces the whole list (fact F181), and nothing shows whether somebody changed the list
    since it was read. So this function compares the instance after each write.

    :param instances: The account's instances.
    :param before: The instance, as the caller read it.
    :param difference: What the caller wrote.
    :param after: The instance after the write.
    :return: The instance with all own tags, if the platform keeps them.
    :raises CloudElementsError: A call failed.
    """
    expected = own_tags(before.tags if difference.tags is None else difference.tags)
    for _ in range(_MOST_RESTORES):
        tags = _restored(before.tags, expected, after.tags)
        if tags is None or not after.complete:
            return after
        log.warning("Another writer dropped own tags of instance %d; they are restored.", after.id)
        token, after = after.token, instances.update(after.id, tags=tags)
        after = replace(after, token=token)
    log.warning("Own tags of instance %d are dropped again and again.", after.id)
    return after


def needs_mending(instance: Instance, why: str) -> CloudElementsInstanceDisabledError:
    """Return the error for an instance that does not work, and that the given credentials cannot mend.

    :param instance: As it is.
    :param why: Why the given credentials do not help.
    """
    state = "disabled" if instance.disabled else "not valid: its stored authentication no longer works"
    return CloudElementsInstanceDisabledError(
        f"Instance {instance.id} ({instance.name!r}) is {state}, and {why}. Re-authenticate it: give a new "
        "authorization code, refresh token or password."
    )


def why_not_mended(difference: Difference, spec: InstanceSpec) -> str:
    """Return why what a specification gives does not mend an instance, for :func:`needs_mending`.

    :param difference: The specification, compared with the instance.
    :param spec: The specification.
    """
    if difference.unknown:
        return (
            "nobody can tell whether it has the credentials given already, so they do not enable it: a "
            "person may have disabled it"
        )
    if spec.credentials:
        return "the credentials given are the ones that it has already"
    return "no credentials are given to mend it with"


def _restored(
    before: tuple[str, ...], expected: tuple[str, ...], after: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Return the tags with the expected own ones; ``None`` when none is missing."""
    prints = set(fingerprint_tags(after))
    missing = [tag for tag in expected if tag not in after]
    if prints - {*before, *expected}:
        # Another writer has given the instance newer credentials: their fingerprint is the right one.
        ours = fingerprint_tags(missing)
        missing = [tag for tag in missing if tag not in ours]
    if not missing:
        return None
    stale = prints if fingerprint_tags(missing) else set()
    return (*(tag for tag in after if tag not in stale), *missing)


def _shows(instance: Instance, difference: Difference) -> bool:
    """Return whether an instance shows that a write took place.

    Compare only the fingerprint, if there is one: the platform strips markup from other tags, and people edit
    them.
    """
    fingerprints = set(fingerprint_tags(difference.tags or ()))
    if fingerprints:
        return fingerprints <= set(instance.tags)
    return _has(instance, difference.configuration)


def _has(instance: Instance, configuration: Mapping[str, Any]) -> bool:
    return all(
        same_value(key, value, instance) for key, value in configuration.items() if not hidden(key, instance)
    )
