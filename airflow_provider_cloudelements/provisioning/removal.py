"""Which instances a delete by id, key or tag removes and which it leaves, with the reason; the delete."""

from __future__ import annotations

import datetime
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_cloudelements.client import Instance
from airflow_provider_cloudelements.client.parsing import instance_id_of
from airflow_provider_cloudelements.client.target import Target
from airflow_provider_cloudelements.client.wire.clock import PlatformClock
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsValidationError,
    concerning,
)

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.instances import InstancesApi

#: Most instances that one delete by tag may remove, unless the caller says otherwise.
MAX_DELETES = 50

#: Reasons for which an instance stays, each with the line that reports the ids.
LEFT = {
    "another key": "%s have this key's marker, and are of another namespace or key: not deleted.",
    "no date": "The platform gives no date of %s: not deleted.",
    "too young": "%s are not older than older_than: not deleted.",
    "unreadable": "%s may be meant, but their rows in the list cannot be read: not deleted. (None: no id.)",
}


@dataclass(frozen=True, slots=True)
class Removal:
    """Hold what a delete is about to do.

    :param chosen: Ids to delete.
    :param left: Ids that stay, by reason: a key of ``LEFT``. An unreadable instance may have no id: ``None``.
    :param listed: The instances that the platform listed, by id; empty for a delete by id.
    """

    chosen: tuple[int, ...]
    left: dict[str, list[int | None]] = field(default_factory=dict)
    listed: Mapping[int, Instance] = field(default_factory=dict, repr=False)


def removal_of(
    instances: InstancesApi,
    target: Target,
    *,
    older_than: datetime.timedelta | None = None,
    max_deletes: int = MAX_DELETES,
) -> Removal:
    """Find the instances that a target names, and sort them into those to delete and those that stay.

    A target by id costs no call: a delete itself finds out whether it is there.

    :param instances: The account's instances.
    :param target: The id, key or tag.
    :param older_than: Least age; a delete by tag needs one, and only it takes one.
    :param max_deletes: Most instances to delete by tag. Default: 50.
    :raises CloudElementsValidationError: ``older_than`` is missing or too much, or there are more instances
        to delete by tag than ``max_deletes``.
    """
    by_tag = target.tag is not None and not target.of_key
    if by_tag and older_than is None:
        raise CloudElementsValidationError("older_than is missing: a delete by tag needs a least age.")
    if not by_tag and older_than is not None:
        raise CloudElementsValidationError("older_than goes with tag only.")
    if target.instance_id is not None:
        return Removal((target.instance_id,))
    unreadable: list[Any] = []
    listed = target.listed(instances, left_out=unreadable.append)
    removal = sorted_out(listed, target, older_than, instances.http.platform_clock)
    if unreadable:
        removal.left["unreadable"] = list(dict.fromkeys(map(_id_in, unreadable)))
    if by_tag and len(removal.chosen) > max_deletes:
        raise CloudElementsValidationError(
            f"{len(removal.chosen)} instances have the tag and the age, more than "
            f"max_deletes={max_deletes}. None was deleted. Look at them with dry_run=True and a "
            "larger max_deletes."
        )
    return removal


def sorted_out(
    listed: Iterable[Instance], target: Target, older_than: datetime.timedelta | None, clock: PlatformClock
) -> Removal:
    """Sort instances into those to delete and those that stay.

    :param listed: The instances that the platform lists for the target.
    :param target: The tag or key.
    :param older_than: Least age; ``None``: any.
    :param clock: The clock that dates instances, as the list's answers showed it.
    """
    now = clock.at(time.time()) or pendulum.now("UTC")
    youngest = None if older_than is None else now - older_than
    found = {each.id: each for each in listed}
    chosen: list[int] = []
    left: dict[str, list[int | None]] = defaultdict(list)
    for instance in found.values():
        if not target.matches(instance):
            left["another key"].append(instance.id)
        elif youngest is None:
            chosen.append(instance.id)
        elif instance.created_date is None:
            left["no date"].append(instance.id)
        elif instance.created_date >= youngest:
            left["too young"].append(instance.id)
        else:
            chosen.append(instance.id)
    return Removal(tuple(chosen), dict(left), found)


def remove(instances: InstancesApi, chosen: Sequence[int]) -> Iterator[tuple[int, bool]]:
    """Delete instances; yield the id of each that is gone now, and whether it was there.

    One that cannot be deleted keeps no other one from being deleted. A failure that may pass, or that
    concerns the account, ends it: the rest would most likely fail as well.

    :param instances: The account's instances.
    :param chosen: Ids of the instances.
    :raises CloudElementsError: The first failure. It carries the failed instance as ``instance_id``, and the
        ids as ``deleted`` (those that were gone already included) and ``not_deleted``.
    """
    gone: list[int] = []
    failure: CloudElementsError | None = None
    for instance_id in chosen:
        try:
            with concerning(instance_id):
                there = instances.delete(instance_id)
        except CloudElementsError as error:
            failure = failure or error
            if error.retryable or error.concerns_account:
                break
            continue
        gone.append(instance_id)
        yield instance_id, there
    if failure is not None:
        failure.deleted, failure.not_deleted = tuple(gone), tuple(each for each in chosen if each not in gone)
        if len(chosen) > 1:
            failure.args = (f"{failure} Deleted: {_ids(gone)}. Not deleted: {_ids(failure.not_deleted)}.",)
        raise failure


def _ids(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids)) or "none"


def _id_in(row: Any) -> int | None:
    """Return the id in a row that cannot be read otherwise, if there is one."""
    try:
        return instance_id_of(row)
    except CloudElementsValidationError:
        return None
