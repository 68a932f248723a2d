"""Write to an existing instance, send an authorization code only once, and report every doubt."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.tags import FINGERPRINT_PREFIX
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsError,
    CloudElementsInstanceDisabledError,
    CloudElementsServerError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.provisioning.difference import Difference
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints
from airflow_provider_cloudelements.provisioning.memory import Memory
from airflow_provider_cloudelements.provisioning.spec import PROVIDER_DATA, login_of

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.instances import InstancesApi

log = logging.getLogger(__name__)

_LONGEST_LOOK_UP_PAUSE = 5.0


class Code:
    """Hold the result of a vendor's login, and whether it was sent. It works once.

    :param login: The code, or what stands for it.
    :param fingerprints: Made with the instance's marker.
    :param memory: Remembers over tries that the code was sent.
    """

    def __init__(self, login: Any, fingerprints: Fingerprints, memory: Memory) -> None:
        self._fingerprint = fingerprints.of(PROVIDER_DATA, login)
        self._memory = memory

    def going_out(self, whose: str, shown_by: str) -> None:
        """Note that the code is about to be sent.

        :param whose: What the code is for, as the error names it.
        :param shown_by: What shows that an earlier send had no effect, as the error names it.
        :raises CloudElementsAmbiguousCreateError: An earlier try may have sent the code.
        """
        if self._memory.code_sent(self._fingerprint):
            spent = CloudElementsAmbiguousCreateError(
                f"An earlier try for {whose} may have sent this authorization code already, and "
                f"{shown_by}. A code works once: ask for consent again and start a new run with a new one.",
                code_spent=True,
            )
            spent.final = True
            raise spent
        self._memory.sending_code(self._fingerprint)

    def refused(self, error: CloudElementsError) -> None:
        """Record what a refusal means for the code that the call carried."""
        if isinstance(error, CloudElementsTransportError) and not error.sent:
            self._memory.code_kept(self._fingerprint)  # proven unsent, so the next try may send it
            return
        log.warning(
            "The refused call carried the authorization code, so the provider does not send the code again: "
            "ask for consent again and start a new run with a new one."
        )
        if isinstance(error, CloudElementsValidationError):
            error.final = True  # the vendor received the code and refused it: no later try has a better one


class Writer:
    """Write differences to instances.

    :param instances: The account's instances.
    :param fingerprints: Made with the instance's marker.
    :param memory: Remembers over tries which codes were sent.
    :param settle_time: Seconds to find out whether a re-authentication in doubt took place.
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

    def write(self, instance: Instance, difference: Difference) -> None:
        """Enable the instance if it is disabled, and write what differs.

        The writer sends a call with a code once. If its answer is lost, the fingerprint that the call
        carries shows whether the call took place.

        :param instance: As it is.
        :param difference: What to write; its tags are the whole list.
        :raises CloudElementsAmbiguousCreateError: It is not known whether the platform used the code.
        :raises CloudElementsError: Any other failure. The writer then disables the instance again if it was
            disabled before.
        """
        if instance.disabled:
            # Enable first: a try that ends here then leaves a difference that the next one sees.
            self._memory.enabling(instance.id)
            self._instances.enable(instance.id)
        if not difference.names:
            return
        try:
            if difference.provider_data:
                self._write_code(instance, difference)
            else:
                send(self._instances, instance, difference)
        except CloudElementsError:
            self.disable_again(instance)
            raise

    def enabled_again(self, before: Instance, after: Instance) -> bool:
        """Enable an instance that the platform disabled again between our enabling and the new credentials.

        :param before: The instance as it was before the write.
        :param after: As read back.
        :return: Whether this call enabled it; the caller must then read it again.
        """
        if not (before.disabled and after.disabled):
            return False
        self._instances.enable(after.id)
        return True

    def disable_again(self, instance: Instance) -> None:
        """Disable an instance that was enabled and still does not work, so that it does not look healthy.

        :param instance: As it was before. An earlier try that was killed may have enabled it.
        """
        if instance.disabled or self._memory.enabled(instance.id):
            try:
                self._instances.disable(instance.id)
            except CloudElementsError as error:
                log.warning("Instance %d could not be disabled again: %s", instance.id, error)
            else:
                self._memory.enabling_ended(instance.id)

    def mended(self, instance: Instance) -> None:
        """Note that the instance works: nothing must disable it again.

        :param instance: The instance.
        """
        self._memory.enabling_ended(instance.id)

    def _write_code(self, instance: Instance, difference: Difference) -> None:
        code = Code(login_of(difference.provider_data), self._fingerprints, self._memory)
        code.going_out(f"instance {instance.id}", "the instance shows no sign of it")
        try:
            send(self._instances, instance, difference)
        except CloudElementsError as error:
            if not may_have_acted(error):
                code.refused(error)
                raise
            doubt = error
        else:
            return
        # Compare the fingerprint alone: the platform strips markup from other tags, and people edit them.
        fingerprint = {tag for tag in difference.tags or () if tag.startswith(FINGERPRINT_PREFIX)}
        for _ in looks(self._settle_time, self._sleep, self._clock):
            if self._shows(instance.id, fingerprint):
                return
        raise in_doubt(
            f"It is not known whether instance {instance.id} was re-authenticated. The authorization code "
            "may be spent: ask for consent again.",
            doubt,
            code_spent=True,
        )

    def _shows(self, instance_id: int, tags: set[str]) -> bool:
        try:
            return tags <= set(self._instances.get(instance_id).tags)
        except CloudElementsError as error:
            log.warning("The look-up failed: %s", error)
            return False


def send(instances: InstancesApi, instance: Instance, difference: Difference) -> None:
    """Write what differs, in one call.

    :param instances: The account's instances.
    :param instance: As it is.
    :param difference: What to write; its tags are the whole list.
    :raises CloudElementsError: The call failed.
    """
    log.info("Instance %d: writing %s.", instance.id, ", ".join(difference.names))
    instances.update(
        instance.id,
        name=difference.name,
        configuration=difference.configuration,
        provider_data=difference.provider_data,
        tags=difference.tags,
    )


def looks(seconds: float, sleep: Callable[[float], None], clock: Callable[[], float]) -> Iterator[None]:
    """Yield at least twice, with growing pauses between, until the time is over.

    :param seconds: Seconds until the end.
    :param sleep: Makes the pauses.
    :param clock: Returns the time in seconds.
    """
    deadline = clock() + seconds
    pause = 0.5
    while True:
        yield
        left = deadline - clock()
        if left <= 0:
            return
        sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_LOOK_UP_PAUSE)


def may_have_acted(error: CloudElementsError) -> bool:
    """Return whether the server may have executed the call although it failed."""
    if isinstance(error, CloudElementsTransportError):
        return error.sent
    # A redirect does not come from the API, and a 404 of this class comes from a gateway before it.
    return isinstance(error, CloudElementsServerError) and not 300 <= (error.status or 500) < 500


def in_doubt(
    message: str, doubt: CloudElementsError, *, code_spent: bool
) -> CloudElementsAmbiguousCreateError:
    """Return the error for a call whose outcome is not known.

    :param message: What is not known, and what to do.
    :param doubt: How the call ended.
    :param code_spent: Whether an authorization code went with it.
    """
    return CloudElementsAmbiguousCreateError(
        f"{message} What happened: {doubt}",
        code_spent=code_spent,
        status=doubt.status,
        request_id=doubt.request_id,
        provider_message=doubt.provider_message,
        method=doubt.method,
        path=doubt.path,
    )


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
