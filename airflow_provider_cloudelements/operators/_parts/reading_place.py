"""Keep where a task that reads events or changed records goes on: behind its last successful run.

The place lies in the task's XComs, so Airflow keeps one for each run. A cleared run finds the place of the
run before it. A retry begins where its first try began. A place belongs to a selection of events or records:
a mapped task may select something else under the same index, and then has another place.

The task state store of Airflow 3.3 would not do: it belongs to one task instance, so to one run. Nor would
the asset state store: it belongs to an asset and knows no runs, so a cleared run would find its own end.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import pendulum

from airflow_provider_cloudelements.client.parsing import parse_date
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

log = logging.getLogger(__name__)

#: First part of the XCom's key; a hash of what the task selects follows.
XCOM_PLACE = "cloudelements_place_"


class Cursor(Protocol):
    """How far a reader has come, of whatever it reads."""

    @property
    def since(self) -> pendulum.DateTime:
        """The moment before which all was read."""

    @property
    def place(self) -> Self:
        """The cursor as a later run needs it."""

    @classmethod
    def parse(cls, value: Any, argument: str = ...) -> Self:
        """Read what :meth:`as_json` wrote.

        :raises CloudElementsValidationError: It is something else.
        """

    def as_json(self) -> dict[str, Any]:
        """Return the cursor as JSON."""


_C = TypeVar("_C", bound=Cursor)


@dataclass(frozen=True, slots=True)
class _Place(Generic[_C]):
    """Store where one run began and ended.

    :param run_id: The run.
    :param map_index: Map index of its task instance.
    :param date: The run's date, by which Airflow orders runs: its logical date, else when it was due.
    :param dated: Whether the run has a logical date.
    :param until: Up to which moment it read.
    :param since: Where it began.
    :param cursor: Where it ended.
    """

    run_id: str
    map_index: int
    date: pendulum.DateTime
    dated: bool
    until: pendulum.DateTime
    since: _C
    cursor: _C

    @classmethod
    def parse(cls, kind: type[_C], value: Any) -> _Place[_C] | None:
        """Read what :meth:`as_json` wrote; ``None`` for anything else."""
        if not isinstance(value, Mapping):
            return None
        date, until = parse_date(value.get("date")), parse_date(value.get("until"))
        if date is None or until is None:
            return None
        try:
            since, cursor = kind.parse(value.get("since")), kind.parse(value.get("cursor"))
        except CloudElementsValidationError:
            return None
        index = value.get("map_index")
        return cls(
            str(value.get("run_id")),
            index if isinstance(index, int) else -1,
            date,
            value.get("dated") is True,
            until,
            since.place,
            cursor.place,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the place as JSON for XCom."""
        return {
            "run_id": self.run_id,
            "map_index": self.map_index,
            "date": self.date.isoformat(),
            "dated": self.dated,
            "until": self.until.isoformat(),
            "since": self.since.as_json(),
            "cursor": self.cursor.as_json(),
        }


class ReadingPlace(Generic[_C]):
    """Find where a task goes on, and keep where it ended.

    :param kind: The class of its cursors.
    :param context: The context that ``execute`` received.
    :param selection: What the task selects, as JSON: its connection and query.
    :param until: Up to which moment the run reads; ``None``: all that there is.
    """

    def __init__(self, kind: type[_C], context: Any, selection: Any, until: pendulum.DateTime | None) -> None:
        self._kind = kind
        digest = hashlib.sha256(json.dumps(selection, sort_keys=True).encode("utf-8", "surrogatepass"))
        self._key = XCOM_PLACE + digest.hexdigest()[:16]
        self._ti = context["ti"]
        self._run = context.get("dag_run")
        self._until = until
        #: Up to which moment it can have read, whatever it was asked for.
        self._reached = pendulum.now("UTC") if until is None else min(until, pendulum.now("UTC"))

    def begin(self, first: _C) -> _C:
        """Return where the run begins: where the last successful run before it ended.

        "Before" goes by the dates of runs, not by when they ran. So a cleared run returns what it returned
        before, and runs of past days may come in any order. If the last run is not a success (yet), this run
        begins where that one began. In doubt, events come twice.

        :param first: Where the first run begins.
        """
        last = None if self._run is None else self._last()
        if last is None:
            log.info("No earlier run read this. This run begins at its start.")
            return first
        fits = self._until is None or last.until <= self._until
        ended = self._is_before(last) and fits and self._succeeded(last)
        begin = last.cursor if ended else last.since
        if self._until is not None and begin.since >= self._until:
            return first  # the place is later than everything that this run may read
        if ended:
            log.info("This run goes on where run %r ended.", last.run_id)
        else:
            why = "which is no success" if fits else "which read further than this one is to"
            log.info("This run begins where run %r began, %s.", last.run_id, why)
        return begin

    def keep(self, begin: _C, end: _C) -> None:
        """Keep where the run began and ended. The place counts once the task is a success.

        :param begin: Where it began.
        :param end: Where it ended.
        """
        if self._run is None:
            return
        place = _Place(
            self._ti.run_id,
            _index(self._ti),
            self._date,
            self._run.logical_date is not None,
            self._reached,
            begin.place,
            end.place,
        )
        self._ti.xcom_push(key=self._key, value=place.as_json())

    @property
    def _date(self) -> pendulum.DateTime:
        date: pendulum.DateTime = pendulum.instance(self._run.logical_date or self._run.run_after)
        return date

    def _last(self) -> _Place[_C] | None:
        """Return the place of this run (of a copy with the same selection), or of the last one before it."""
        found: list[_Place[_C]] = [
            each for each in self._candidates() if self._is_before(each) or self._is_own(each)
        ]
        index = _index(self._ti)
        return max(
            found, key=lambda each: (each.date, self._is_own(each), each.map_index == index), default=None
        )

    def _candidates(self) -> Iterator[_Place[_C]]:
        if _index(self._ti) >= 0:
            yield from self._of_copies()
            return
        first = self._pull(map_indexes=-1, include_prior_dates=True)
        if first is not None:
            yield first
        if first is None or self._run.logical_date is None:
            return
        if first.dated and self._is_before(first):
            return
        # PostgreSQL sorts runs without a logical date before all others, whenever they ran. And Airflow 3.1
        # and 3.2 compare with the runs of this id in all DAGs. So they may return a later run's XCom.
        for state in (None, "success"):
            run = self._ti.get_previous_dagrun(state)
            place = None
            if run is not None:
                place = self._pull(map_indexes=-1, run_id=run.run_id)
            if place is not None:
                yield place

    def _of_copies(self) -> list[_Place[_C]]:
        """Return the places of all copies of a mapped task.

        Another copy may have selected in an earlier run what this copy selects now, and this copy before
        that. So the place of the same index is not always the last one.
        """
        runs = [self._ti.run_id]
        if self._run.logical_date is not None:
            before = (self._ti.get_previous_dagrun(state) for state in (None, "success"))
            runs += [run.run_id for run in before if run is not None]
        # First the runs that have it nearly always: all runs together can have many places.
        for run_id in dict.fromkeys(runs):
            if places := self._pull_all(run_id=run_id):
                return places
        return self._pull_all(include_prior_dates=True)

    def _pull_all(self, **which: Any) -> list[_Place[_C]]:
        pulled = self._ti.xcom_pull(task_ids=self._ti.task_id, key=self._key, default=None, **which)
        places = (self._parsed(each) for each in (pulled if isinstance(pulled, list) else [pulled]))
        return [each for each in places if each is not None]

    def _pull(self, **which: Any) -> _Place[_C] | None:
        return self._parsed(self._ti.xcom_pull(task_ids=self._ti.task_id, key=self._key, **which))

    def _parsed(self, value: Any) -> _Place[_C] | None:
        return _Place.parse(self._kind, value)

    def _is_before(self, place: _Place[_C]) -> bool:
        return place.date < self._date and not self._is_own(place)

    def _is_own(self, place: _Place[_C]) -> bool:
        return bool(place.run_id == self._ti.run_id)

    def _succeeded(self, place: _Place[_C]) -> bool:
        states = self._ti.get_task_states(
            dag_id=self._ti.dag_id, task_ids=[self._ti.task_id], run_ids=[place.run_id]
        )
        name = self._ti.task_id if place.map_index < 0 else f"{self._ti.task_id}_{place.map_index}"
        return bool((states.get(place.run_id) or {}).get(name) == "success")


def _index(ti: Any) -> int:
    return -1 if ti.map_index is None else int(ti.map_index)
