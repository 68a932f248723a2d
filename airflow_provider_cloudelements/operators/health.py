"""Operator that checks whether element instances work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_cloudelements.client.arguments import require_count
from airflow_provider_cloudelements.client.parsing import instance_id_of
from airflow_provider_cloudelements.client.tags import element_key, optional_text, user_tags
from airflow_provider_cloudelements.client.wire.secrecy import one_line
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.exceptions import (
    CloudElementsUnhealthyError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.links.instances import CloudElementsInstanceLink, console_link
from airflow_provider_cloudelements.links.pages import CloudElementsInstancesPageLink
from airflow_provider_cloudelements.operators._parts.base import (
    CloudElementsBaseOperator,
    require_bool,
    require_choice,
)
from airflow_provider_cloudelements.operators._parts.fleet_assets import FleetAssets
from airflow_provider_cloudelements.provisioning.health import (
    CONCURRENCY,
    Checkup,
    InstanceState,
    sweep,
    sweep_ids,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_cloudelements.events.traffic import Traffic

__all__ = ["CloudElementsCheckInstancesOperator"]

REPORTS = ("all", "unhealthy")
#: Form of the XCom ``summary``; pages/instances.js reads it. New keys leave it as it is: an older page passes
#: over them, and a page must do without them.
SUMMARY_VERSION = 1
MOST_CONCURRENCY = 64

#: Most instances that the log names, one a line.
_MOST_ROWS = 100
#: Most ids that one sentence names.
_MOST_IDS = 20
#: Digits of events an hour behind the point: two a day are 0.08.
_DIGITS = 2
#: Columns of the log's table, and how wide each may become.
_COLUMNS = {"id": 19, "state": 23, "element": 24, "name": 40, "detail": 200}


class CloudElementsCheckInstancesOperator(FleetAssets, CloudElementsBaseOperator):
    """Check whether instances work: by their state on the platform and, if that is good, by a ping.

    The operator checks all instances with ``tag``, of ``element``, with both, or, without either, of the
    whole account; or the instances of ``instance_ids``. A check costs one call for each instance and one for
    each page of the list, and two for each of ``instance_ids``. No token leaves the operator.

    The states: ``healthy``; ``disabled``: the platform lets no call through, because a person disabled the
    instance or its refreshes failed; ``invalid``: the platform reports that its authentication is broken;
    ``needs re-authentication``: the vendor refused it (401); ``unreachable``: no good answer for any other
    reason.

    :param tag: Only instances with this tag. ``None`` and an empty text mean any. Templated.
    :param element: Only instances of this element's key. ``None`` and an empty text mean any. Templated.
    :param instance_ids: The instances' ids: a list of integers, of their digits, or of what the create
        operator returned, such as ``create.output`` of a mapped task; a single one, too. It excludes ``tag``
        and ``element``. With an empty list the operator checks nothing. Templated.
    :param concurrency: Most checks at once, from 1 to 64. Default: 8.
    :param report: Which instances the report lists, since XCom is a row of Airflow's database: ``all``
        (default) or ``unhealthy``. The counts include all instances in each case.
    :param traffic: Whether to add each instance's events an hour and queued deliveries: one call, and one for
        each page of the queue, at most 50. If the platform does not answer them, the check goes on without.
        Default: ``False``.
    :param fail_on: States that fail the task once the report is in XCom. Default: none.
    :param emit_assets: Whether to update the asset ``cloudelements_fleet_asset("unhealthy", CONNECTION)``
        with the counts if an instance is not healthy or does not exist. Airflow stores no asset event of a
        task that ``fail_on`` fails. Default: ``False``.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``checked`` (how many), ``counts`` (how many by state, all five), ``instances`` (each with
        ``id``, ``name``, ``element``, ``state``, ``events`` (whether they are switched on), ``tags`` (without
        this provider's own) and, unless it is healthy, ``detail``: the answer of the call that failed,
        ``None`` if the state on the platform was enough; ``name`` and ``element`` are empty if the operator
        could not read one of ``instance_ids``), and ``missing`` (those of ``instance_ids`` that do not exist;
        no count includes them). With ``traffic`` an instance has ``events_per_hour`` (on average since the
        beginning of the hour 24 hours ago) and ``queued`` (deliveries that wait for their release) too,
        unless they are 0. XCom ``summary`` is what the page ``/cloudelements/instances`` reads first: the
        same counts, with ``version``, ``connection``, ``tag``, ``element``, ``at`` and ``console_url``, and
        with ``traffic`` the sums ``events_per_hour`` and ``queued`` over the checked instances (``None`` if
        the platform did not say) and ``queue_read`` (``False``: the queue was longer than 50 pages).
    :raises CloudElementsUnhealthyError: An instance is in a state of ``fail_on``; a retry checks again.
    :raises CloudElementsAuthError: The platform does not accept the connection's own secrets.
    :raises CloudElementsConnectionError: The connection has no User and Organization secret (it uses
        ``authorization``), and so cannot call through an instance.
    :raises CloudElementsValidationError: An argument is malformed, or two of them exclude each other.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id", "tag", "element", "instance_ids")
    operator_extra_links = (CloudElementsInstanceLink(), CloudElementsInstancesPageLink())
    #: Set by a run, for the link: the page of the first instance that is not healthy.
    console_link = ""

    def __init__(
        self,
        *,
        tag: str | None = None,
        element: str | None = None,
        instance_ids: Iterable[int | str | Mapping[str, Any]] | int | Mapping[str, Any] | None = None,
        concurrency: int = CONCURRENCY,
        report: str = "all",
        traffic: bool = False,
        fail_on: Collection[str] = (),
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.tag = tag
        self.element = element
        self.instance_ids = instance_ids
        self.concurrency = require_count("concurrency", concurrency, 1, MOST_CONCURRENCY)
        self.report = require_choice("report", report, REPORTS)
        self.traffic = require_bool("traffic", traffic)
        self.fail_on = _states(fail_on)

    def name_by_arguments(self) -> Any:
        """Return what selects the instances, unless it is a list of them."""
        return self.tag or self.element

    def perform(self, context: Context) -> dict[str, Any]:
        """Check the instances, log the result, and return the report or fail with it in XCom."""
        rows: list[dict[str, Any]] = []
        missing: list[int] = []
        for instance_id, checkup in self._checked():
            if checkup is None:
                missing.append(instance_id)
            else:
                rows.append(_row(checkup))
        sums = self._add_traffic(rows) if self.traffic else {}
        found = Counter(row["state"] for row in rows)
        counts = {state.value: found[state.value] for state in InstanceState}
        self._tell(rows, missing, counts)
        ill = next((row["id"] for row in rows if not _is_healthy(row)), None)
        if ill is not None:
            self.console_link = console_link(self.hook.settings.console_url, ill)
        listed = rows if self.report == "all" else [row for row in rows if not _is_healthy(row)]
        report = {"checked": len(rows), "counts": counts, "instances": listed, "missing": missing}
        if self.do_xcom_push:
            context["ti"].xcom_push(key="summary", value={**self._summary(report), **sums})
        if missing or counts[InstanceState.HEALTHY.value] < len(rows):
            found_bad = {"checked": len(rows), "counts": counts, "missing": len(missing)}
            self.record(context, "unhealthy", found_bad)
        failing = [row for row in rows if row["state"] in self.fail_on]
        if failing:
            if self.do_xcom_push:  # a task that fails returns nothing
                context["ti"].xcom_push(key="return_value", value=report)
            states = _told_counts({state: counts[state] for state in self.fail_on})
            ids = _told_ids([row["id"] for row in failing])
            raise CloudElementsUnhealthyError(
                f"{len(failing)} of {len(rows)} instances are in a state of fail_on ({states}): {ids}."
            )
        return report

    def _add_traffic(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Add to the rows what goes through their instances; return the sums for the summary."""
        from airflow_provider_cloudelements.events.traffic import read_traffic

        read = read_traffic(self.hook.get_conn())
        sums = {**_traffic_in(rows, read), "queue_read": read.whole}
        self.log.info("Events an hour and queued deliveries: %s.", sums)
        return sums

    def _summary(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the page of all instances shows of this check before it reads the report."""
        return {
            "version": SUMMARY_VERSION,
            "connection": self.cloudelements_conn_id,
            "tag": self.tag,
            "element": self.element,
            "checked": report["checked"],
            "counts": report["counts"],
            "missing": len(report["missing"]),
            "listed": len(report["instances"]),
            "at": pendulum.now("UTC").to_iso8601_string(),
            "console_url": self.hook.settings.console_url,
        }

    def _checked(self) -> Iterator[tuple[int, Checkup | None]]:
        tag, element = optional_text("tag", self.tag), element_key(self.element)
        instances = self.hook.get_conn().instances
        # Compared with None only: to compare its items, a mapped task's output would fetch them from Airflow.
        if self.instance_ids is not None:
            if tag is not None or element is not None:
                raise CloudElementsValidationError("instance_ids goes with neither tag nor element.")
            yield from sweep_ids(instances, _ids(self.instance_ids), concurrency=self.concurrency)
            return
        for checkup in sweep(instances, tag=tag, element=element, concurrency=self.concurrency):
            yield checkup.instance.id, checkup

    def _tell(self, rows: list[dict[str, Any]], missing: list[int], counts: dict[str, int]) -> None:
        self.log.info("Checked %d instances: %s.", len(rows), _told_counts(counts) or "there are none")
        if missing:
            self.log.warning("%d instances do not exist: %s.", len(missing), _told_ids(missing))
        for line in _table(sorted(rows, key=_is_healthy)):
            self.log.info("%s", line)


def _states(fail_on: Any) -> tuple[str, ...]:
    if isinstance(fail_on, str) or not isinstance(fail_on, Collection):
        raise TypeError("fail_on must be a tuple of states; it is not templated.")
    choices = tuple(state.value for state in InstanceState)
    return tuple(dict.fromkeys(require_choice("fail_on", each, choices) for each in fail_on))


def _ids(given: Any) -> list[int]:
    """Read ids from any iterable, each once."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        given = [given]
    ids: dict[int, None] = {}
    for each in given:
        try:
            ids[instance_id_of(each)] = None
        except CloudElementsValidationError:
            raise CloudElementsValidationError(
                "instance_ids must be a list of ids (integers or their digits), or of what "
                "CloudElementsCreateInstanceOperator returned; it holds something else, of type "
                f"{type(each).__name__}."
            ) from None
    return list(ids)


def _row(checkup: Checkup) -> dict[str, Any]:
    instance = checkup.instance
    row = {
        "id": instance.id,
        "name": instance.name,
        "element": instance.element_key,
        "state": checkup.state.value,
        "events": instance.events_enabled,
        "tags": list(user_tags(instance.tags)),
    }
    return row if checkup.healthy else {**row, "detail": checkup.detail}


def _traffic_in(rows: Sequence[dict[str, Any]], traffic: Traffic) -> dict[str, Any]:
    """Add what is not 0 to the rows, which keeps reports short; return the sums over the rows."""
    sums: dict[str, Any] = {}
    for key, numbers in (("events_per_hour", traffic.events_per_hour), ("queued", traffic.queued)):
        found = None if numbers is None else [(row, numbers.get(row["id"], 0)) for row in rows]
        for row, number in found or ():
            if number:
                row[key] = round(number, _DIGITS)
        sums[key] = None if found is None else round(sum(number for _, number in found), _DIGITS)
    return sums


def _is_healthy(row: Mapping[str, Any]) -> bool:
    return bool(row["state"] == InstanceState.HEALTHY)


def _told_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)


def _told_ids(ids: Sequence[int]) -> str:
    more = f" and {len(ids) - _MOST_IDS} more" if len(ids) > _MOST_IDS else ""
    return ", ".join(map(str, ids[:_MOST_IDS])) + more


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Write rows as lines of text with columns of bounded width."""
    if not rows:
        return
    cells = [[_cell(row.get(name), most) for name, most in _COLUMNS.items()] for row in rows[:_MOST_ROWS]]
    cells.insert(0, list(_COLUMNS))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
    if len(rows) > _MOST_ROWS:
        yield f"... and {len(rows) - _MOST_ROWS} more"


def _cell(value: Any, most: int) -> str:
    """Return a value as one line of printable text that fits into a cell; people chose the names."""
    printable = one_line(str("" if value is None else value))
    return printable if len(printable) <= most else f"{printable[: most - 3]}..."
