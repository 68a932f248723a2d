"""The request that a handler gets (:class:`Call`), and the answers that it gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.errors import ApiError, bad_request, phrase
from airflow_provider_cloudelements.sandbox.core.jsontext import parse_body
from airflow_provider_cloudelements.sandbox.core.multipart import Upload

StateT = TypeVar("StateT")
InstanceT = TypeVar("InstanceT")

_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no"})


@dataclass(slots=True)
class Call(Generic[StateT, InstanceT]):
    """One request to the API or to the control calls, read completely.

    Handlers are plain functions from a Call to a Response. They run one after the other on the event loop
    and never await, so each of them is a transaction. This makes the store safe under concurrent requests
    without a lock.

    This module knows nothing of the emulated things: ``state.py`` binds the types of state and instance.

    :param state: everything the sandbox knows.
    :param method: the HTTP verb.
    :param segments: the path's parts after the prefix, percent-decoded.
    :param query: the query's pairs in order, decoded.
    :param headers: request headers by lower-case name; the last one wins.
    :param body: the raw body.
    :param request_id: 24 hex characters.
    :param trace_id: the value of the answer's Elements-Trace-Id.
    :param params: values of the path's variables.
    :param words: the words of the Authorization header and their values.
    :param instance: the instance of the Element token, if the call takes one.
    :param upload: the parts of a body that holds a file.
    """

    state: StateT
    method: str
    segments: list[str]
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes
    request_id: str
    trace_id: str
    params: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    instance: InstanceT | None = None
    upload: Upload | None = None

    def value(self, name: str) -> str | None:
        """Return the last value of a query parameter, or None.

        :param name: the parameter's name.
        """
        found = None
        for key, value in self.query:
            if key == name:
                found = value
        return found

    def values(self, name: str) -> list[str]:
        """Return all values of a repeatable query parameter.

        :param name: the parameter's name.
        """
        return [value for key, value in self.query if key == name]

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean query parameter.

        :param name: the parameter's name.
        :param default: the value if it is absent.
        """
        value = self.value(name)
        if value is None or value == "":
            return default
        if value.lower() in _TRUE:
            return True
        if value.lower() in _FALSE:
            return False
        raise bad_request(f"Query parameter {name} must be true or false")

    def asked_for(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row with those of its fields that the query parameter ``fields`` names; without it, all.

        :param row: the row.
        """
        fields = self.value("fields")
        if not fields:
            return row
        names = [name.strip() for name in fields.split(",")]
        return {name: row[name] for name in names if name in row}

    def json(self) -> Any:
        """Return the parsed JSON body.

        A body without Content-Type counts as JSON (choice C41); another type gets 415 (fact F46).
        """
        kind = self.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind and kind != "application/json" and not kind.endswith("+json"):
            raise ApiError(415, "Unsupported media type: send application/json")
        if not self.body.strip():
            raise bad_request("A JSON body is required")
        try:
            return parse_body(self.body)[0]
        except ValueError:
            # The parser's own text quotes the body, which may hold a secret.
            raise bad_request("The body is not valid JSON") from None

    def json_object(self) -> dict[str, Any]:
        """Return the parsed JSON body, which must be an object."""
        body = self.json()
        if not isinstance(body, dict):
            raise bad_request("The body must be a JSON object")
        return body

    def form(self) -> dict[str, str]:
        """Return the fields of a form-encoded body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def number(self, name: str) -> int | None:
        """Return a path variable as a positive integer, or None if it is not one (choice C42).

        :param name: the variable's name.
        """
        return to_id(self.params[name])


def to_id(text: str) -> int | None:
    """Return ``text`` as an id, or None if it cannot be one.

    :param text: text of the path.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def json_reply(payload: Any, headers: dict[str, str] | None = None, status: int = 200) -> Response:
    """Return ``payload`` as JSON.

    :param payload: anything that json can write.
    :param headers: further response headers.
    :param status: the HTTP status.
    """
    content = json.dumps(payload, separators=(",", ":")).encode("ascii")
    return Response(content, status, headers, "application/json")


class StreamReply(Response):
    """An answer whose body is made while it is sent.

    :param chunks: the parts of the body.
    :param size: how many bytes they are in all.
    :param tell_size: whether to say so beforehand; otherwise the body comes chunked.
    :param headers: further response headers.
    :param kind: the Content-Type, exactly as it is sent.
    :param status: the HTTP status.
    """

    def __init__(
        self,
        chunks: Iterator[bytes],
        size: int,
        *,
        tell_size: bool,
        headers: dict[str, str],
        kind: str,
        status: int = 200,
    ) -> None:
        super().__init__(b"", status, {**headers, "Content-Type": kind, "Content-Length": str(size)})
        self.chunks = chunks
        self.size = size
        if not tell_size:
            del self.headers["content-length"]


def empty_reply() -> Response:
    """Return 200 without a body, as DELETE answers (fact F58)."""
    return Response(b"", 200)


def error_reply(error: ApiError, request_id: str) -> Response:
    """Return the answer for an error.

    The header Elements-Error exists (fact F48); its value is unknown (U43), so the sandbox sends the status's
    own phrase.

    :param error: what went wrong.
    :param request_id: the call's id.
    """
    headers = {"Elements-Error": phrase(error.status), **error.headers}
    return json_reply(error.body(request_id), headers, error.status)
