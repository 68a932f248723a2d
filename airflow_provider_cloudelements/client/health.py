"""Whether an instance works: what the platform tells of it, and whether its vendor answers a ping."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsConnectionError,
    CloudElementsError,
    CloudElementsForbiddenError,
    CloudElementsNotFoundError,
)

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.instances import InstancesApi

log = logging.getLogger(__name__)


class InstanceState(StrEnum):
    """How an instance is."""

    HEALTHY = "healthy"
    #: Calls through it are refused: by a person's wish, or by the platform's, after refreshes that failed
    #: (dossier 0a no. 17).
    DISABLED = "disabled"
    #: The platform says that its stored authentication is broken (dossier 4.3).
    INVALID = "invalid"
    #: The vendor does not accept its credentials (401: HC:troubleshooting-401-errors).
    NEEDS_REAUTHENTICATION = "needs re-authentication"
    #: No good answer came from the vendor, for any other reason.
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Checkup:
    """What a check found.

    :param instance: The instance, without its token.
    :param state: How it is.
    :param detail: What the call that failed answered; holds no secret.
    """

    instance: Instance
    state: InstanceState
    detail: str | None = None

    @property
    def healthy(self) -> bool:
        """Whether calls through it work."""
        return self.state is InstanceState.HEALTHY


def check(instances: InstancesApi, instance: Instance) -> Checkup | None:
    """Check one instance: by what was read of it, and where that is good, by a ping.

    :param instances: The account's instances.
    :param instance: As read just before; with its token the ping costs one call, else two.
    :return: What was found; ``None`` when the instance was deleted meanwhile.
    :raises CloudElementsAuthError: The platform does not accept the connection's own secrets.
    :raises CloudElementsConnectionError: The connection cannot call through an instance.
    """
    shown = replace(instance, token=None)
    if (state := _told(shown)) is not None:
        return Checkup(shown, state)
    try:
        instances.ping(instance.id, instance.token)
    except CloudElementsConnectionError:
        raise
    except (CloudElementsAuthError, CloudElementsForbiddenError, CloudElementsNotFoundError) as error:
        return _refused(instances, instance.id, error)
    except CloudElementsError as error:
        return Checkup(shown, InstanceState.UNREACHABLE, str(error))
    return Checkup(shown, InstanceState.HEALTHY)


def sweep(
    instances: InstancesApi,
    *,
    tag: str | None = None,
    element: str | None = None,
    concurrency: int = 8,
) -> Iterator[Checkup]:
    """Check all instances of a tag, of an element, or of the account, as they are listed.

    :param instances: The account's instances.
    :param tag: Only those with this tag.
    :param element: Only those of this element's key.
    :param concurrency: Most pings at once.
    """
    tags = [tag] if tag is not None else []
    listed = instances.list(tags=tags, element=element, with_tokens=True)
    with ThreadPoolExecutor(concurrency, thread_name_prefix="cloudelements-check") as pool:
        try:
            for found in _bounded(pool, instances, listed, 4 * concurrency):
                if (checkup := found.result()) is not None:
                    yield checkup
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _bounded(
    pool: ThreadPoolExecutor, instances: InstancesApi, listed: Iterable[Instance], most: int
) -> Iterator[Future[Checkup | None]]:
    """Submit checks in the order of the list, never more than so many ahead of whoever takes them."""
    ahead: deque[Future[Checkup | None]] = deque()
    for instance in listed:
        ahead.append(pool.submit(check, instances, instance))
        if len(ahead) >= most:
            yield ahead.popleft()
    yield from ahead


def _told(instance: Instance) -> InstanceState | None:
    """Return what is wrong with an instance by what the platform tells of it."""
    if instance.disabled:
        return InstanceState.DISABLED
    return None if instance.valid else InstanceState.INVALID


def _refused(instances: InstancesApi, instance_id: int, error: CloudElementsError) -> Checkup | None:
    """Tell what a refused ping means. Read again, with the connection's secrets alone.

    Those may have been rotated, or the instance disabled or deleted, since it was read.
    """
    try:
        instance = instances.get(instance_id)
    except CloudElementsNotFoundError:
        log.info("Instance %d was deleted before it could be checked.", instance_id)
        return None
    if (state := _told(instance)) is None:
        vendor_refused = isinstance(error, CloudElementsAuthError)
        state = InstanceState.NEEDS_REAUTHENTICATION if vendor_refused else InstanceState.UNREACHABLE
    return Checkup(instance, state, str(error))
