"""Check whether an instance works: by the platform's fields, and by a ping of its vendor."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.parsing import instance_id_of
from airflow_provider_cloudelements.client.tags import named_text
from airflow_provider_cloudelements.client.wire.parallel import in_order
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

#: Most calls at once, unless the caller says otherwise.
CONCURRENCY = 8


class InstanceState(StrEnum):
    """State of an instance."""

    HEALTHY = "healthy"
    #: The platform refuses calls through it: a person disabled it, or the platform did after refreshes that
    #: failed (fact F133).
    DISABLED = "disabled"
    #: The platform says that its stored authentication is broken (fact F188).
    INVALID = "invalid"
    #: The vendor does not accept its credentials (401: fact F137).
    NEEDS_REAUTHENTICATION = "needs re-authentication"
    #: The vendor gave no good answer, for any other reason.
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Checkup:
    """Hold the result of a check.

    :param instance: The instance, without its token.
    :param state: Its state.
    :param detail: The text of the call that failed; holds no secret.
    """

    instance: Instance
    state: InstanceState
    detail: str | None = None

    @property
    def healthy(self) -> bool:
        """Whether calls through it work."""
        return self.state is InstanceState.HEALTHY


def check(instances: InstancesApi, instance: Instance) -> Checkup | None:
    """Check one instance by its fields, and if these are good, by a ping.

    :param instances: The account's instances.
    :param instance: As read just before; with its token the ping costs one call, else two.
    :return: The result; ``None`` when the instance was deleted meanwhile.
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
        return _refused(instances, shown, error)
    except CloudElementsError as error:
        return Checkup(shown, InstanceState.UNREACHABLE, str(error))
    return Checkup(shown, InstanceState.HEALTHY)


def sweep(
    instances: InstancesApi,
    *,
    tag: str | None = None,
    element: str | None = None,
    concurrency: int = CONCURRENCY,
) -> Iterator[Checkup]:
    """Check all instances of a tag, of an element, or of the account: one call each, besides the list.

    The result leaves out an instance that was deleted meanwhile.

    :param instances: The account's instances.
    :param tag: Only those with this tag.
    :param element: Only those of this element's key.
    :param concurrency: Most pings at once. Default: 8.
    :return: The results, in the order of the list.
    :raises CloudElementsAuthError: The platform does not accept the connection's own secrets.
    :raises CloudElementsConnectionError: The connection cannot call through an instance.
    :raises CloudElementsValidationError: Tag or element names nothing.
    :raises CloudElementsError: The list could not be read.
    """
    tags = [named_text("tag", tag)] if tag is not None else []
    listed = instances.list(tags=tags, element=element, with_tokens=True)
    with closing(in_order(partial(check, instances), listed, concurrency)) as found:
        for checkup in found:
            if checkup is not None:
                yield checkup


def sweep_ids(
    instances: InstancesApi, ids: Iterable[int], *, concurrency: int = CONCURRENCY
) -> Iterator[tuple[int, Checkup | None]]:
    """Check the instances of some ids: two calls each.

    :param instances: The account's instances.
    :param ids: Their ids.
    :param concurrency: Most checks at once. Default: 8.
    :return: Each id and its result, in the order of the ids; ``None`` for one that does not exist.
    :raises CloudElementsValidationError: One of ``ids`` is no id.
    :raises CloudElementsAuthError: The platform does not accept the connection's own secrets.
    :raises CloudElementsConnectionError: The connection cannot call through an instance.
    """
    known = [instance_id_of(each) for each in ids]
    return in_order(lambda each: (each, _check_id(instances, each)), known, concurrency)


def _check_id(instances: InstancesApi, instance_id: int) -> Checkup | None:
    try:
        instance = instances.peek(instance_id)
    except CloudElementsNotFoundError:
        return None
    except (CloudElementsAuthError, CloudElementsConnectionError):
        raise
    except CloudElementsError as error:
        # An instance that cannot be read must not lose the results of the others.
        unread = Instance(id=instance_id, name="", element_key="")
        return Checkup(unread, InstanceState.UNREACHABLE, str(error))
    return check(instances, instance)


def _told(instance: Instance) -> InstanceState | None:
    """Return what is wrong with an instance according to the platform's fields."""
    if instance.disabled:
        return InstanceState.DISABLED
    return None if instance.valid else InstanceState.INVALID


def _refused(instances: InstancesApi, shown: Instance, error: CloudElementsError) -> Checkup | None:
    """Return what a refused ping means. Read the instance again, with the connection's secrets alone.

    Somebody may have rotated these secrets, or disabled or deleted the instance, since it was read.
    """
    try:
        instance = instances.get(shown.id)
    except CloudElementsNotFoundError:
        log.info("Instance %d was deleted before it could be checked.", shown.id)
        return None
    except (CloudElementsAuthError, CloudElementsConnectionError):
        raise
    except CloudElementsError as unread:
        # The meaning of the refusal is not known, and one instance must not end a sweep.
        return Checkup(shown, InstanceState.UNREACHABLE, f"{error} It could not be read again: {unread}")
    if (state := _told(instance)) is not None:
        return Checkup(instance, state, str(error))
    if isinstance(error, CloudElementsAuthError):
        # The error itself does not show whose secret the platform refused.
        detail = f"{error} The connection's own secrets are accepted."
        return Checkup(instance, InstanceState.NEEDS_REAUTHENTICATION, detail)
    return Checkup(instance, InstanceState.UNREACHABLE, str(error))
