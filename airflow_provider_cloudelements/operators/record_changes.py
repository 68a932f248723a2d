"""Operator that writes the records that changed since its last successful run to a file."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pendulum

from airflow_provider_cloudelements.client.arguments import dictionary
from airflow_provider_cloudelements.client.ceql import plain_field, where_of
from airflow_provider_cloudelements.client.parsing import given_date, instance_id_of
from airflow_provider_cloudelements.client.resources import PAGINGS, resource_path
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.events.cursor import read_until
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator, require_choice
from airflow_provider_cloudelements.operators._parts.early_checks import EarlyChecks, choice, count
from airflow_provider_cloudelements.operators._parts.event_arguments import END_OF_RUN
from airflow_provider_cloudelements.operators._parts.json_lines import JsonLines, json_line
from airflow_provider_cloudelements.operators._parts.lineage import FileLineage, WrittenFile, object_of
from airflow_provider_cloudelements.operators._parts.reading_place import ReadingPlace
from airflow_provider_cloudelements.operators._parts.whole_file import storage_path
from airflow_provider_cloudelements.use.changed_records import (
    EARLIEST,
    UNDATED,
    ChangeCursor,
    ChangedRecords,
    ChangeQuery,
)
from airflow_provider_cloudelements.use.vendor_dates import VendorDates

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

__all__ = ["CloudElementsDownloadChangesOperator"]


#: What a condition takes as a list of values.
_LISTS = (list, tuple, set, frozenset)
#: Parameters of a list that do not change which records it holds.
_SELECT_NOTHING = frozenset({"orderBy", "pageSize"})


def _require_overlap(value: Any) -> datetime.timedelta:
    if not isinstance(value, datetime.timedelta) or value < datetime.timedelta():
        raise ValueError("overlap must be a timedelta that is not negative; it is not templated.")
    return value


def _require_one_begin(since: Any, start: Any) -> None:
    if since is not None and start != "earliest":
        raise ValueError("start is where the first run of a task without since begins: give one of them.")


def _conditions(where: Mapping[str, Any]) -> list[list[str]]:
    """Return conditions in an order of their own: the order of keys and lists selects nothing."""
    return sorted(
        sorted(
            str(where_of({key: each}))
            for each in ([[one] for one in value] if isinstance(value, _LISTS) else [value])
        )
        for key, value in where.items()
    )


class CloudElementsDownloadChangesOperator(EarlyChecks, FileLineage, CloudElementsBaseOperator):
    """Write the records that changed since the last successful run to a file of JSON lines.

    A run asks for the records whose date in ``updated_field`` is not before the newest one that the last
    successful run read, less the ``overlap``. That date counts up to the moment, by the platform's clock, at
    which the run began to read. So ``overlap`` must be longer than the vendor's clock is behind the
    platform's, which matters for records that change while a run reads. It writes each record once by its
    id, and passes over a record that the last run wrote exactly as it is now.

    "Last" goes by the logical dates of runs (or when they were due), not by when they ran. A run's place
    counts once its file is whole and its task is a success. So a run that failed loses nothing: the next one
    reads its time as well. A cleared run reads its own time again. A record that changed since then has a
    later date, and comes with a later run. Each copy of a mapped task has a place of its own, by its instance
    and not by its map index. A task that reads another instance, object or condition, or has another
    ``query``, begins at ``start``. So does a task whose earlier runs have no XComs any more.

    The file has the order of the vendor's list. The operator holds one page in memory, and at most 20,000
    hashes of records. It keeps the ids that it met in a temporary file.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param token: The instance's token, instead of ``instance_id``. Templated.
    :param path: The object, such as ``/contacts``; or the parts of its path in a list. Templated.
    :param updated_field: Field with the date of a record's last change, such as ``LastModifiedDate``. Dots
        lead into objects. ``where`` must be able to name it. Templated.
    :param output_path: File for the records, in any storage that Airflow's ``ObjectStoragePath`` reaches. It
        is whole or not there, also if no record changed, and a retry overwrites it. Put the run's id and, for
        a mapped task, the instance into its name. Templated.
    :param id_field: Field with a record's id. Dots lead into objects. Default: ``id``. Templated.
    :param overlap: How far a run goes back behind the newest record that the last one read, for records that
        the vendor lists late, and for a vendor's clock that is behind the platform's. A record that the
        vendor lists later than that is lost. Default: 10 minutes.
    :param date_format: How the vendor writes dates: ``iso``, with a time; ``milliseconds`` or ``seconds``
        since 1970; or a pattern of Python's ``strftime``, such as ``%Y-%m-%dT%H:%M:%S.000%z``, and
        ``%Y-%m-%d`` for dates without a time. The query has the same form: a pattern and ``iso`` as a text,
        the others as a number. Default: ``iso``.
    :param timezone: Time zone of dates that name none, and in which the query writes dates. In any zone but
        UTC the overlap is an hour longer, because a clock that is put back shows an hour twice. Default:
        ``UTC``.
    :param undated: What becomes of a record without a date. ``fail``: the task fails. ``skip``: it is left
        out. ``write``: each run asks for such records by a second query (``IS NULL``), and writes all of
        them. A text or number that is no date always fails the task. Default: ``fail``.
    :param start: Where the first run begins: an ISO date, or ``earliest``, all records. Only without
        ``since``. Default: ``earliest``. Templated.
    :param since: Where each run begins, whatever was read before: an ISO date, or ``earliest``. Default:
        where the last successful run ended. Templated.
    :param until: Only records dated before then: an ISO date, or ``latest``. Others are left to a later run.
        If the run's data interval is empty or missing and there is no ``since``, a scheduled or backfill run
        ends at the moment that it was due, and all other runs read all. Default: the end of the run's data
        interval. Templated.
    :param where: Further conditions: fields and values that must all hold, such as ``{"Type": "Customer"}``;
        no value can change the query. The rendered fields show its keys. Templated.
    :param query: Further parameters of the list, such as ``{"fields": "Id,Name", "pageSize": 100}``. The
        rendered fields show its keys. Templated.
    :param paging: How the list goes on: by the ``token`` of each answer, or by the number of the ``page``
        until one is empty. It differs between elements. Default: ``token``.
    :param first_page: Number of the first page, if ``paging`` is ``page``. It is documented nowhere.
        Default: 1.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``count``; ``path``, ``bytes`` and ``sha256`` of the file; ``since``, the oldest date that the
        run asked for, in ISO 8601 and UTC, or ``None`` if it asked for all; ``newest``, the newest date so
        far, or ``None``; and how many records it did not write: ``repeated``, which the last run wrote, and
        ``later``, whose dates are not before ``until``. ``undated`` is how many records without a date it
        found.
    :raises CloudElementsValidationError: An argument is malformed, or a record has no id or no date.
    :raises CloudElementsInstanceDisabledError: The instance is disabled.
    :raises CloudElementsError: A call failed.
    """

    template_fields: Collection[str] = (
        "cloudelements_conn_id",
        "instance_id",
        "token",
        "path",
        "updated_field",
        "id_field",
        "start",
        "since",
        "until",
        "where",
        "query",
        "output_path",
    )
    secret_fields = ("token", "query", "where")
    wholly_secret_fields = secret_fields
    written_files = ("output_path",)
    checks = {
        "overlap": _require_overlap,
        "undated": lambda value: require_choice("undated", value, UNDATED),
        "paging": choice("paging", PAGINGS),
        "first_page": count("first_page"),
        "date_format": lambda value: VendorDates(value).format,
        "timezone": lambda value: VendorDates(zone=value).zone,
    }
    checks_together: ClassVar = (_require_one_begin,)

    def __init__(
        self,
        *,
        path: str | Sequence[str | int],
        updated_field: str,
        output_path: str | ObjectStoragePath,
        instance_id: int | str | Mapping[str, Any] | None = None,
        token: str | None = None,
        id_field: str = "id",
        overlap: datetime.timedelta = datetime.timedelta(minutes=10),
        date_format: str = "iso",
        timezone: str = "UTC",
        undated: str = "fail",
        start: Any = "earliest",
        since: Any = None,
        until: Any = END_OF_RUN,
        where: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        paging: str = "token",
        first_page: int = 1,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.instance_id = instance_id
        self.token = token
        self.path = path
        self.updated_field = updated_field
        self.output_path = output_path
        self.id_field = id_field
        self.overlap = _require_overlap(overlap)
        VendorDates(date_format, timezone)
        self.date_format = date_format
        self.timezone = timezone
        self.undated = require_choice("undated", undated, UNDATED)
        self.start = start
        self.since = since
        #: Not by the rendered value: a template that finds nothing is a mistake, and no wish to go on.
        self._goes_on = since is None
        self.until = until
        self.where = where
        self.query = query
        self.paging = self.checks["paging"](paging)
        self.first_page = self.checks["first_page"](first_page)
        self.require_together()

    def perform(self, context: Context) -> dict[str, Any]:
        """Read the records into the file, then keep where the next run goes on."""
        target = storage_path(self.output_path, "output_path")
        query, until = self._query(), self._until()
        instance = self.hook.instance(self.instance_id, self.secret("token"))
        place = ReadingPlace(ChangeCursor, context, self._selection(query), until)
        first = ChangeCursor.start(self._first())
        begin = place.begin(first) if self._goes_on else first
        records = ChangedRecords(query, instance, begin, until, json_line)
        with self.writing(JsonLines(target)) as lines:
            for line in records:
                lines.write(line)
            cursor = records.cursor
        if self._goes_on:
            place.keep(begin, cursor)  # only now: the file is whole
        read = object_of(query.path)
        self.tell_file(
            context,
            WrittenFile(instance.instance_id, read, records.count, target, lines.size, lines.sha256),
        )
        self.log.info(
            "%d records changed; they are in %s. %d came again, %d are left to a later run.",
            *(records.count, target, records.repeated, records.later),
        )
        return {
            "count": records.count,
            "path": str(target),
            "bytes": lines.size,
            "sha256": lines.sha256,
            "since": None if records.bound is None else records.bound.isoformat(),
            "newest": None if cursor.since <= EARLIEST else cursor.since.isoformat(),
            "repeated": records.repeated,
            "later": records.later,
            "undated": records.undated,
        }

    def _query(self) -> ChangeQuery:
        resource_path(self.path)
        updated_field = plain_field("updated_field", self.updated_field)
        where = dictionary("where", self.secret("where"))
        where_of(where)  # before anything is sent
        if any(key.split(maxsplit=1)[0] == updated_field for key in where):
            raise CloudElementsValidationError(
                f"where must not name {updated_field!r}: that condition is the operator's. Give start, since "
                "or until."
            )
        params = dictionary("query", self.secret("query"))
        if "where" in params:
            raise CloudElementsValidationError(
                "query must not hold where: give conditions in the argument where, as a dictionary."
            )
        return ChangeQuery(
            self.path,
            updated_field,
            plain_field("id_field", self.id_field),
            VendorDates(self.date_format, self.timezone),
            self.overlap,
            self.undated,
            where,
            params,
            self.paging,
            self.first_page,
        )

    def _selection(self, query: ChangeQuery) -> list[Any]:
        """Return what the task selects, as JSON, of which Airflow keeps only a hash."""
        whose = self.secret("token") if self.instance_id is None else instance_id_of(self.instance_id)
        params = {name: str(value) for name, value in query.params.items() if name not in _SELECT_NOTHING}
        return [
            self.cloudelements_conn_id,
            whose,
            resource_path(query.path),
            query.updated_field,
            query.id_field,
            _conditions(query.where),
            params,
        ]

    def _first(self) -> pendulum.DateTime:
        name = "start" if self._goes_on else "since"
        value = getattr(self, name)
        if value == "earliest":
            return EARLIEST
        date = given_date(value)
        if date is None:
            raise CloudElementsValidationError(
                f"{name} must be 'earliest' or a date such as 2026-11-24T08:00:00Z."
            )
        return max(date, EARLIEST)

    def _until(self) -> pendulum.DateTime | None:
        # Outside Airflow nothing renders the default, and there is no run that it could name.
        return None if self.until == END_OF_RUN else read_until(self.until)
