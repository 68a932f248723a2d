"""Which of the instances with a tag or key a delete removes, and which it leaves, with the reason."""

from __future__ import annotations

import datetime
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import pendulum

from airflow_provider_cloudelements.client import Instance
from airflow_provider_cloudelements.client.target import Target
from airflow_provider_cloudelements.client.wire.clock import PlatformClock

#: Reasons for which an instance stays, each with the line of the log that reports the ids.
LEFT = {
    "another key": "%s have this key's marker, and are of another namespace or key; the task keeps them.",
    "no date": "The platform gives no date of %s; the task keeps them.",
    "too young": "%s are not older than older_than; the task keeps them.",
}


@dataclass(frozen=True, slots=True)
class Removal:
    """Hold what a delete is about to do.

    :param chosen: Ids to delete.
    :param left: Ids that stay, by reason: a key of ``LEFT``.
    """

    chosen: tuple[int, ...]
    left: dict[str, list[int]]


def removal_of(
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
    chosen: list[int] = []
    left: dict[str, list[int]] = defaultdict(list)
    for instance in listed:
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
    return Removal(tuple(chosen), dict(left))
