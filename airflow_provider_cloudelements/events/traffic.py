"""How much goes through instances: the events that they report, and the deliveries that wait in a queue."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import pendulum

from airflow_provider_cloudelements.exceptions import CloudElementsError

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client import CloudElementsClient

log = logging.getLogger(__name__)

#: Full hours whose events count, before the current one.
HOURS = 24
#: Most pages (of 200) of the queue to read.
MAX_PAGES = 50

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Traffic:
    """Hold what goes through the instances of an account.

    :param events_per_hour: Events an hour, by the instance's id, on average since the beginning of the hour
        24 hours ago. Instances without events are not in it. ``None``: the platform did not say.
    :param queued: How many deliveries to its receivers are queued, by the instance's id. ``None``: the
        platform did not say.
    :param whole: Whether ``queued`` counts the whole queue. ``False``: at least so many, as the queue is
        longer than 50 pages.
    """

    events_per_hour: Mapping[int, float] | None
    queued: Mapping[int, int] | None
    whole: bool = True


def read_traffic(client: CloudElementsClient, now: pendulum.DateTime | None = None) -> Traffic:
    """Read what goes through all instances of an account: one call, and one for each page of the queue.

    A call that fails leaves its number unknown, and the log says why: nothing depends on these numbers.

    :param client: The account.
    :param now: Until when events count. Default: now.
    """
    end = (now or pendulum.now("UTC")).in_timezone("UTC").start_of("second").add(seconds=1)
    begin = end.subtract(hours=HOURS).start_of("hour")
    events = _or_none("events an hour", lambda: client.events.count_by_instance(begin, end))
    hours = (end - begin).total_seconds() / 3600
    per_hour = None if events is None else {number: count / hours for number, count in events.items()}
    queue = _or_none("queued deliveries", lambda: _queue(client))
    return Traffic(per_hour, None, True) if queue is None else Traffic(per_hour, *queue)


def _queue(client: CloudElementsClient) -> tuple[Counter[int], bool]:
    """Count the queue by instance; say whether that is all of it."""
    counts: Counter[int] = Counter()
    for read, page in enumerate(client.deliveries.queued_pages(), 1):
        # What waits for a receiver of other topics, or for nobody that a row names, is no instance's.
        counts.update(each.instance_id for each in page if each.instance_id is not None)
        if read == MAX_PAGES:
            return counts, False
    return counts, True


def _or_none(what: str, read: Callable[[], _Read]) -> _Read | None:
    try:
        return read()
    except CloudElementsError as error:
        log.warning("The %s are not known: %s", what, error)
        return None
