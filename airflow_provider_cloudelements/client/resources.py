"""Calls through one instance: the vendor's own resources, with the instance's token."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_cloudelements.client.arguments import (
    dictionary,
    one_of,
    path_segment,
    seconds,
    texts,
    whole_number,
)
from airflow_provider_cloudelements.client.arguments import text as checked_text
from airflow_provider_cloudelements.client.ceql import where_of
from airflow_provider_cloudelements.client.instances import InstancesApi
from airflow_provider_cloudelements.client.parsing import parse_bool, parse_object, parse_text
from airflow_provider_cloudelements.client.wire.errors import clean
from airflow_provider_cloudelements.client.wire.listing import numbered_pages
from airflow_provider_cloudelements.client.wire.request import checked_token, is_count
from airflow_provider_cloudelements.client.wire.secrecy import redact
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsForbiddenError,
    CloudElementsInstanceDisabledError,
    CloudElementsServerError,
    CloudElementsValidationError,
)

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.bulk import BulkApi
    from airflow_provider_cloudelements.client.wire.clock import PlatformClock
    from airflow_provider_cloudelements.client.wire.multipart import Form
    from airflow_provider_cloudelements.client.wire.streaming import Streamed

__all__ = ["PAGINGS", "InstanceClient", "ObjectField"]

#: How a vendor's list goes on: by the token of each answer, or by the number of the page.
PAGINGS = ("token", "page")
#: What no path of a resource holds: a query, a fragment, what clients and servers fold, control characters.
_NO_PATH = re.compile(r"[?#\\\x00-\x20\x7f]|(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ObjectField:
    """A field of a vendor's object, as its metadata describe it.

    :param path: The field, as records and queries name it.
    :param type: Its type, in the platform's words; ``None`` if the answer names none.
    :param filterable: Whether ``where`` may name it.
    :param createable: Whether a create may set it.
    :param updateable: Whether an update may set it.
    """

    path: str
    type: str | None = None
    filterable: bool = False
    createable: bool = False
    updateable: bool = False


class InstanceClient:
    """A client bound to one instance.

    The client fetches the token when the first call needs it. ``on_token`` gets it then, for masking.

    :param instances: The account's instances.
    :param instance_id: The instance's id; ``None`` if the caller knows only its token.
    :param token: Its token, if the caller holds it already.
    :raises CloudElementsValidationError: Neither is given, or the token is none.
    """

    def __init__(self, instances: InstancesApi, instance_id: int | None, token: str | None = None) -> None:
        if instance_id is None and token is None:
            raise CloudElementsValidationError("Give instance_id, token, or both.")
        self.instance_id = instance_id
        self._instances = instances
        self._token = None if token is None else checked_token(token)

    def __repr__(self) -> str:
        return f"InstanceClient(instance_id={self.instance_id})"

    @property
    def token(self) -> str:
        """The instance's token.

        :raises CloudElementsNotFoundError: There is no such instance.
        """
        if self._token is None:
            self._token = self._instances.token(self.instance_id)  # type: ignore[arg-type]  # see __init__
        return self._token

    # Loaded on first use: most tasks move no records in bulk.
    @cached_property
    def bulk(self) -> BulkApi:
        """Bulk jobs of the instance."""
        from airflow_provider_cloudelements.client.bulk import BulkApi

        return BulkApi(self)

    def request(
        self,
        method: str,
        path: str | Sequence[str | int],
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        repeatable: bool | None = None,
    ) -> Any:
        """Call one of the vendor's resources.

        :param method: HTTP verb.
        :param path: Path such as ``/calendars``; the platform ignores a hub before it (fact F321). Or its
            parts in a list, such as ``["contacts", record_id]``: no part can then change the path.
        :param params: Query, such as ``where`` or ``pageSize``.
        :param body: Sent as JSON.
        :param repeatable: Whether the client may send the call twice. Default: by its verb, and never a POST.
        :return: The answer's JSON; ``None`` if it is empty.
        :raises CloudElementsInstanceDisabledError: The instance is disabled.
        :raises CloudElementsError: The class that fits the failure.
        """
        with self._explained():
            return self._instances.http.send(
                method, _path(path), params=params, body=body, token=self.token, repeatable=repeatable
            ).body

    def get(self, path: str | Sequence[str | int], **params: Any) -> Any:
        """Read a resource, with the keywords as the query."""
        return self.request("GET", path, params=params)

    def list(self, path: str | Sequence[str | int], **params: Any) -> Iterator[Any]:
        """Yield the items of a resource's list, a page at a time, with the keywords as the query.

        A list ends with its last page, or with an empty one. A 404 is an empty list only on the first page,
        and only if the platform's message says that none is found.

        :raises CloudElementsNotFoundError: There is no such list.
        :raises CloudElementsServerError: The list broke off, a page comes twice, or is no list.
        """
        with self._explained():
            # The client sets no page size: the largest one differs between vendors.
            for page in self._instances.http.list_pages(
                _path(path), params=params, token=self.token, page_size=None
            ):
                yield from page
                del page  # the page is free before the client reads the next one

    @contextmanager
    def streamed(
        self, path: str | Sequence[str | int], *, headers: Mapping[str, str] | None = None
    ) -> Iterator[Streamed]:
        """Open a body of any size, such as the result of a bulk job, and read it part by part.

        :param path: Path, or its parts in a list.
        :param headers: Headers of the call, such as ``Accept`` and ``Range``.
        :raises CloudElementsError: The class that fits the failure.
        """
        with (
            self._explained(),
            self._instances.http.streamed(_path(path), token=self.token, headers=headers) as body,
        ):
            yield body

    def send_form(self, path: str | Sequence[str | int], form: Form) -> Any:
        """Send a file of any size by a ``POST``, piece by piece. The client never sends it twice.

        :param path: Path, or its parts in a list.
        :param form: The file, and the fields beside it.
        :return: The answer's JSON.
        :raises CloudElementsError: The class that fits the failure, or the file could not be read as it was.
        """
        http = self._instances.http
        # The vendor may be asked before the answer, as by a create.
        seconds = max(http.settings.request_timeout, http.settings.create_timeout)
        with self._explained():
            return http.send("POST", _path(path), form=form, token=self.token, timeout=seconds).body

    def shown(self, text: Any) -> str | None:
        """Return a text of the platform as it may be shown: without the secrets of this client.

        :param text: The text, such as an error of a bulk job.
        :return: One line of at most 600 characters; ``None`` if there is no text.
        """
        return clean(text, [*self._secrets])

    def redacted(self, text: str) -> str:
        """Return a text of the platform without the secrets of this client, else as it is, in full.

        :param text: The text, such as an error of a bulk job.
        """
        return redact(checked_text("text", text), self._secrets)

    @property
    def _secrets(self) -> Sequence[str]:
        secrets = self._instances.http.settings.secrets
        return [*secrets] if self._token is None else [*secrets, self._token]

    @property
    def clock(self) -> PlatformClock:
        """The platform's clock, by its answers so far."""
        return self._instances.http.platform_clock

    def platform_time(self, moment: float) -> pendulum.DateTime:
        """Return what the platform's clock showed, by its answers so far.

        :param moment: A moment of our clock, in seconds since 1970.
        """
        seconds("moment", moment)
        shown = self.clock.at(moment)
        return pendulum.from_timestamp(moment) if shown is None else shown

    def records(
        self,
        path: str | Sequence[str | int],
        *,
        where: Mapping[str, Any] | str | None = None,
        fields: Collection[str] | None = None,
        order_by: str | None = None,
        page_size: int | None = None,
        paging: str = "token",
        first_page: int = 1,
        params: Mapping[str, Any] | None = None,
    ) -> Iterator[Any]:
        """Yield an object's records, and read each page only when needed.

        :param path: The object, such as ``/contacts``, or its parts in a list.
        :param where: Only these: fields and values that must all hold, such as ``{"Name": "O'Hara",
            "Amount >=": 5}``; no value can change the query. Or a query as a text.
        :param fields: Only these fields of each.
        :param order_by: Field and direction, such as ``"LastName asc"``.
        :param page_size: Records a page. Default: the vendor's own.
        :param paging: How the list goes on: by the ``token`` of each answer, or by the number of the ``page``
            until one is empty. It differs between elements. Default: ``token``.
        :param first_page: Number of the first page, if ``paging`` is ``page``. It is documented nowhere.
            Default: 1.
        :param params: Further parameters of the query.
        :raises CloudElementsValidationError: An argument is malformed, or given in ``params`` too.
        :raises CloudElementsNotFoundError: There is no such list: see :meth:`list`.
        :raises CloudElementsServerError: The list broke off, a page comes twice, or is no list.
        """
        one_of("paging", paging, PAGINGS)
        whole_number("first_page", first_page, 0)
        if page_size is not None and not is_count(page_size, 1):
            raise CloudElementsValidationError("page_size must be a whole number from 1 on, or None.")
        if paging == "page" and "page" in dictionary("params", params):
            raise CloudElementsValidationError(
                "page: with paging='page' the client counts the pages. Give the number of the first one as "
                "first_page."
            )
        query = query_of(
            params,
            where=where_of(where),
            fields=None if fields is None else _fields(fields),
            orderBy=None if order_by is None else checked_text("order_by", order_by),
            pageSize=page_size,
        )
        checked = resource_path(path)
        return (
            self.list(checked, **query) if paging == "token" else self._numbered(checked, query, first_page)
        )

    def _numbered(self, path: str, query: Mapping[str, Any], first_page: int) -> Iterator[Any]:
        http = self._instances.http

        def send(number: int) -> Any:
            return http.send("GET", path, params={**query, "page": number}, token=self.token)

        with self._explained():
            for page in numbered_pages(send, path, first_page):
                yield from page

    def create(self, object_name: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create a record. The client never sends it twice.

        :param object_name: The object, such as ``contacts``.
        :param record: Its fields.
        :return: The record as the platform shows it.
        """
        return parse_object(self.request("POST", [object_name], body=_record("record", record)), "record")

    def update(self, object_name: str, record_id: str | int, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change fields of a record (``PATCH``).

        :param object_name: The object, such as ``contacts``.
        :param record_id: The record's id.
        :param changes: The fields to write. Others keep their values.
        """
        # With absolute values, which a record's fields are, it may be sent twice (fact F59).
        body = _record("changes", changes)
        answer = self.request("PATCH", [object_name, record_id], body=body, repeatable=True)
        return parse_object({} if answer is None else answer, "record")

    def replace(self, object_name: str, record_id: str | int, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replace a record (``PUT``). Few vendors can.

        :param object_name: The object, such as ``contacts``.
        :param record_id: The record's id.
        :param record: All of its fields.
        """
        answer = self.request("PUT", [object_name, record_id], body=_record("record", record))
        return parse_object({} if answer is None else answer, "record")

    def delete(self, object_name: str, record_id: str | int) -> None:
        """Delete a record.

        :param object_name: The object, such as ``contacts``.
        :param record_id: The record's id.
        :raises CloudElementsNotFoundError: There is no such record, or no longer.
        """
        self.request("DELETE", [object_name, record_id])

    def objects(self) -> tuple[str, ...]:
        """Return the names of the vendor's objects (fact F326)."""
        answer = self.get("/objects")
        names = [each.get("name") if isinstance(each, Mapping) else each for each in _rows(answer)]
        return tuple(each for each in names if isinstance(each, str))

    def metadata(self, object_name: str) -> tuple[ObjectField, ...]:
        """Return the fields of an object.

        :param object_name: The object, such as ``contacts``.
        """
        answer = parse_object(self.get(["objects", object_name, "metadata"]), "object's metadata")
        found = []
        for each in _rows(answer.get("fields")):
            path = parse_text(each.get("vendorPath")) if isinstance(each, Mapping) else None
            if path is not None:
                marks = {
                    name: parse_bool(each.get(name)) for name in ("filterable", "createable", "updateable")
                }
                found.append(ObjectField(path, parse_text(each.get("type")), **marks))
        return tuple(found)

    def ping(self) -> Mapping[str, Any]:
        """Ask the vendor for a sign of life (``GET /ping``).

        :return: ``dateTime`` and ``endpoint`` (fact F327), as far as the answer holds them.
        """
        answer = self.get("/ping")
        return answer if isinstance(answer, Mapping) else {}

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Explain a 403 of the calls in the block, if more is known of it."""
        try:
            yield
        except CloudElementsForbiddenError as error:
            self._explain(error)
            raise

    def _explain(self, error: CloudElementsForbiddenError) -> None:
        """Raise a better error if the 403 comes from a disabled instance, not from the vendor (fact F45)."""
        if self.instance_id is None:
            return
        try:
            instance = self._instances.get(self.instance_id)
        except CloudElementsError:
            return  # the caller gets the 403
        if instance.disabled:
            raise CloudElementsInstanceDisabledError(
                f"Instance {instance.id} ({instance.name!r}) is disabled: enable it and re-authenticate it. "
                "The platform itself disables one whose credentials the vendor no longer accepts.",
                status=error.status,
                request_id=error.request_id,
                method=error.method,
                path=error.path,
            ) from error


def _path(path: str | Sequence[str | int]) -> str:
    """Return a path as the caller wrote it, or made of its parts."""
    return path if isinstance(path, str) else resource_path(path)


def resource_path(path: Any) -> str:
    """Return the path of a resource.

    :param path: A text that begins with a slash, or the parts of the path, each of which is quoted.
    :raises CloudElementsValidationError: It is neither, or could lead elsewhere than it says.
    """
    if isinstance(path, str):
        if not path.startswith("/") or _NO_PATH.search(path):
            raise CloudElementsValidationError(
                "path must begin with a slash and hold no query, blank, backslash, '.' or '..'. Give the "
                "query as params, and a value as an item of a list of parts: path=['contacts', record_id]."
            )
        return path
    # A set has no order, and the items of bytes and of a range are numbers.
    if not isinstance(path, Sequence) or isinstance(path, bytes | bytearray | memoryview | range) or not path:
        raise CloudElementsValidationError("path must be a text, or a list of its parts.")
    return "".join(f"/{path_segment('A part of path', each)}" for each in path)


def _fields(fields: Any) -> str:
    names = texts("fields", fields)
    if not names:
        raise CloudElementsValidationError("fields must name at least one field; None stands for all.")
    return ",".join(names)


def _record(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        raise CloudElementsValidationError(f"{name} must be a dictionary of fields and values, not None.")
    return dictionary(name, value)


def query_of(params: Mapping[str, Any] | None, **given: Any) -> dict[str, Any]:
    """Return the query of a call.

    :param params: Its parameters by the platform's names.
    :param given: Those that arguments give; ``None``: not given.
    :raises CloudElementsValidationError: One is given twice.
    """
    named = {name: value for name, value in given.items() if value is not None}
    further = dictionary("params", params)
    if twice := sorted(named.keys() & further.keys()):
        raise CloudElementsValidationError(
            f"{', '.join(twice)}: given twice, by the argument and in the further parameters of the query."
        )
    return {**further, **named}


def _rows(answer: Any) -> Sequence[Any]:
    if not isinstance(answer, list):
        raise CloudElementsServerError("The platform's answer is not a JSON array, as a list is.")
    return answer
