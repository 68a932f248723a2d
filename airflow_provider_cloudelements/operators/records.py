"""Operator that calls a vendor's resource through an instance."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_cloudelements.client.arguments import dictionary
from airflow_provider_cloudelements.client.ceql import where_of
from airflow_provider_cloudelements.client.plain import fitted
from airflow_provider_cloudelements.client.resources import PAGINGS, InstanceClient, query_of, resource_path
from airflow_provider_cloudelements.client.wire.doubt import settle_seconds
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator, require_seconds
from airflow_provider_cloudelements.operators._parts.early_checks import (
    EarlyChecks,
    choice,
    count,
    function_or_none,
    switch,
)
from airflow_provider_cloudelements.operators._parts.json_lines import JsonLines, json_line
from airflow_provider_cloudelements.operators._parts.lineage import FileLineage, WrittenFile, object_of
from airflow_provider_cloudelements.operators._parts.whole_file import storage_path
from airflow_provider_cloudelements.use.records import capped, create_once

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

__all__ = ["CloudElementsCallResourceOperator"]

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")


def _require_a_list_by_get(paginate: bool, method: str) -> None:
    if paginate and method != "GET":
        raise ValueError("paginate=True reads a list, so method must be 'GET'.")


def _require_a_list_for_a_file(paginate: bool, output_path: Any) -> None:
    if not paginate and output_path is not None:
        raise ValueError("output_path is for the records of a list: give paginate=True, too.")


def _require_a_place_for_records(paginate: bool, max_xcom_records: int, output_path: Any) -> None:
    if paginate and not max_xcom_records and output_path is None:
        raise ValueError("max_xcom_records=0 needs an output_path.")


def _require_post(idempotent_by: Any, method: str) -> None:
    if idempotent_by is not None and method != "POST":
        raise ValueError("idempotent_by is for method='POST'. Other calls may be sent twice.")


class CloudElementsCallResourceOperator(EarlyChecks, FileLineage, CloudElementsBaseOperator):
    """Call a vendor's resource through an instance: one call, or a whole list, page after page.

    One call returns what the vendor answers. With ``paginate`` the operator reads a list of records: it
    returns few of them, or writes many to a file of JSON lines. It holds one page in memory, and at most the
    records that go to XCom.

    It never sends a ``POST`` twice, because the platform would make two records. A retry of the task does:
    give ``idempotent_by``, and each try looks for the record first.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param token: The instance's token, instead of ``instance_id``. With the id the operator fetches it.
        Templated.
    :param path: The resource, such as ``/contacts``; or its parts in a list, such as
        ``["contacts", "{{ ... }}"]``: no value can then change the path. Templated.
    :param method: ``GET``, ``POST``, ``PATCH``, ``PUT`` or ``DELETE``. Default: ``GET``.
    :param query: Query of the call, such as ``{"fields": "Id,Name", "pageSize": 100}``. The rendered fields
        show its keys. Templated.
    :param json: Body of the call. The rendered fields show its keys. Templated.
    :param where: Only these records: fields and values that must all hold, such as ``{"Name": "O'Hara",
        "Amount >=": 5}``; no value can change the query. Or a query that you wrote. The rendered fields show
        its keys. Templated.
    :param paginate: Whether to read all pages of a list. Default: ``False``.
    :param paging: How the list goes on: by the ``token`` of each answer, or by the number of the ``page``
        until one is empty. It differs between elements. Default: ``token``.
    :param first_page: Number of the first page, if ``paging`` is ``page``. It is documented nowhere.
        Default: 1.
    :param max_records: Most records of a list; more are an error. Default: 1,000,000.
    :param response_filter: Function of your DAG file that gets the answer, or each record of a list, and
        returns what to keep. Default: none.
    :param output_path: File for the records of a list that are too many for XCom, in any storage that
        Airflow's ``ObjectStoragePath`` reaches. It is whole or not there, and a retry overwrites it. If the
        records fit into XCom, the operator writes none, and leaves an older file of that name alone.
        Default: none, so that too many records are an error. Templated.
    :param max_xcom_records: Most records to return; 0: none, so that there is always a file. Default: 1,000.
    :param max_xcom_bytes: Most bytes to return, as JSON. Default: 262,144.
    :param idempotent_by: Field of ``json`` whose value no other record has, for a ``POST``. The operator
        looks for a record with that value first, and returns it if it is there. It looks again if the answer
        is lost. The vendor must keep the value as it is, return it, and filter by it. Templated.
    :param settle_time: Seconds to look for the record after a create whose outcome is not known, if
        ``idempotent_by`` is given. Default: the connection's ``create_timeout``, itself 60 by default.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: The vendor's answer, or what ``response_filter`` made of it. With ``paginate``: ``count``;
        ``records``, or ``None`` if they are in the file; and ``path`` of the file, or ``None``.
    :raises CloudElementsValidationError: An argument is malformed, or there is more than the limits allow.
    :raises CloudElementsConflictError: Several records have the value of ``idempotent_by``, or the look-up
        gave only records that do not have it letter by letter.
    :raises CloudElementsInstanceDisabledError: The instance is disabled.
    :raises CloudElementsError: A call failed.
    """

    template_fields: Collection[str] = (
        "cloudelements_conn_id",
        "instance_id",
        "token",
        "path",
        "query",
        "json",
        "where",
        "output_path",
        "idempotent_by",
    )
    secret_fields = ("token", "query", "json", "where")
    wholly_secret_fields = secret_fields
    written_files = ("output_path",)
    checks: ClassVar = {
        "method": choice("method", METHODS),
        "paginate": switch("paginate"),
        "paging": choice("paging", PAGINGS),
        "first_page": count("first_page"),
        "max_records": count("max_records", 1),
        "response_filter": function_or_none("response_filter"),
        "max_xcom_records": count("max_xcom_records"),
        "max_xcom_bytes": count("max_xcom_bytes", 1),
        "settle_time": partial(require_seconds, "settle_time"),
    }
    checks_together: ClassVar = (
        _require_a_list_by_get,
        _require_a_list_for_a_file,
        _require_a_place_for_records,
        _require_post,
    )

    def __init__(
        self,
        *,
        path: str | Sequence[str | int],
        instance_id: int | str | Mapping[str, Any] | None = None,
        token: str | None = None,
        method: str = "GET",
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        where: Mapping[str, Any] | str | None = None,
        paginate: bool = False,
        paging: str = "token",
        first_page: int = 1,
        max_records: int = 1_000_000,
        response_filter: Callable[[Any], Any] | None = None,
        output_path: str | ObjectStoragePath | None = None,
        max_xcom_records: int = 1000,
        max_xcom_bytes: int = 262_144,
        idempotent_by: str | None = None,
        settle_time: float | None = None,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.instance_id = instance_id
        self.token = token
        self.path = path
        self.method = self.checks["method"](method)
        self.query = query
        self.json = json
        self.where = where
        self.paginate = self.checks["paginate"](paginate)
        self.paging = self.checks["paging"](paging)
        self.first_page = self.checks["first_page"](first_page)
        self.max_records = self.checks["max_records"](max_records)
        self.response_filter = self.checks["response_filter"](response_filter)
        self.output_path = output_path
        self.max_xcom_records = self.checks["max_xcom_records"](max_xcom_records)
        self.max_xcom_bytes = self.checks["max_xcom_bytes"](max_xcom_bytes)
        self.idempotent_by = idempotent_by
        #: Not by the rendered value: a template that finds nothing is a mistake, and no wish for two records.
        self._is_idempotent = idempotent_by is not None
        self.settle_time = self.checks["settle_time"](settle_time)
        self.require_together()

    def perform(self, context: Context) -> Any:
        """Make the call, or read the list."""
        resource_path(self.path)  # the client alone accepts a query in it, too
        target = None if self.output_path is None else storage_path(self.output_path, "output_path")
        instance = self.hook.instance(self.instance_id, self.secret("token"))
        if self.paginate:
            return self._read(instance, context, target)
        answer = self._call(instance)
        value = fitted(answer if self.response_filter is None else self.response_filter(answer))
        if len(json_line(value)) > self.max_xcom_bytes:
            raise CloudElementsValidationError(
                f"The answer has more than {self.max_xcom_bytes} bytes (max_xcom_bytes). Keep less of it by "
                "response_filter, or read the list with paginate=True and an output_path."
            )
        return value

    def _call(self, instance: InstanceClient) -> Any:
        query, body = (
            query_of(self._query(), where=where_of(self.secret("where"))),
            self.secret("json"),
        )
        if self.idempotent_by is None and not self._is_idempotent:
            return instance.request(self.method, self.path, params=query, body=body)
        if not isinstance(body, Mapping):
            raise CloudElementsValidationError("idempotent_by needs a record in json, a dictionary.")
        record, made = create_once(
            instance,
            self.path,
            body,
            self.idempotent_by or "",
            settle_time=settle_seconds(self.hook.settings, self.settle_time),
            params=query,
        )
        if not made:
            self.log.info("The record is there already; it is not created again.")
        return record

    def _read(
        self, instance: InstanceClient, context: Context, target: ObjectStoragePath | None
    ) -> dict[str, Any]:
        read = instance.instance_id, object_of(self.path)
        rows = self._rows(instance)
        first, fits = self._first(rows)
        if fits:
            self.tell_file(context, WrittenFile(*read, len(first)))
            self.log.info("There are %d records.", len(first))
            return {"count": len(first), "records": fitted(first), "path": None}
        if target is None:
            raise CloudElementsValidationError(
                f"There are more records than go to XCom (max_xcom_records={self.max_xcom_records}, "
                f"max_xcom_bytes={self.max_xcom_bytes}): give output_path, a file in object storage."
            )
        written = 0
        with self.writing(JsonLines(target)) as lines:
            for part in (first, rows):
                for row in part:
                    lines.write_row(row)
                    written += 1
                first.clear()
        self.tell_file(context, WrittenFile(*read, written, target, lines.size, lines.sha256))
        self.log.info("There are %d records; they are in %s.", written, target)
        return {"count": written, "records": None, "path": str(target)}

    def _rows(self, instance: InstanceClient) -> Iterator[Any]:
        records = instance.records(
            self.path,
            where=self.secret("where"),
            paging=self.paging,
            first_page=self.first_page,
            params=self._query(),
        )
        rows = capped(records, self.max_records)
        return rows if self.response_filter is None else map(self.response_filter, rows)

    def _query(self) -> dict[str, Any]:
        """Return the query, checked here: the client calls it ``params``."""
        return dictionary("query", self.secret("query"))

    def _first(self, rows: Iterator[Any]) -> tuple[list[Any], bool]:
        """Take rows until there are too many for XCom; say whether they all fit."""
        first: list[Any] = []
        if not self.max_xcom_records:
            return first, False
        size = 0
        for row in rows:
            first.append(row)
            size += len(json_line(row))
            if len(first) > self.max_xcom_records or size > self.max_xcom_bytes:
                return first, False
        return first, True
