"""A call, checked and ready to send. Whatever cannot be written is refused here, before anything goes out."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeGuard
from urllib.parse import urlencode

from airflow_provider_cloudelements.client.wire.multipart import Form
from airflow_provider_cloudelements.connections import LONGEST_TIMEOUT, ConnectionSettings
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConnectionError,
    CloudElementsValidationError,
)

#: Most bytes of a body. The platform answers larger ones with 429 (fact F49), as if they came too fast.
LARGEST_BODY = 8 * 1024 * 1024
#: Most seconds of a wait: a hundred years. Python refuses to sleep for much longer.
LONGEST_WAIT = 100 * 366 * 86_400.0
_METHOD = re.compile(r"[A-Z]{1,20}")
#: Types of a single value in a query.
_PLAIN = (str, int, float)


@dataclass(frozen=True, slots=True)
class Request:
    """A call, ready to send.

    It keeps ``body`` beside ``data``, so that an error can find the secrets that must not show. Only verb and
    path are in ``repr``, because a formatter of tracebacks may show it.
    """

    method: str
    path: str
    target: str = field(repr=False)  # the path as given, with the query that a caller may have put there
    params: Mapping[str, Any] | None = field(repr=False)
    body: Any = field(repr=False)
    data: bytes | Form | None = field(repr=False)
    token: str | None = field(repr=False)
    headers: dict[str, str] = field(repr=False)

    @classmethod
    def of(
        cls,
        settings: ConnectionSettings,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        form: Form | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        """Check a call's parts, and write its body.

        :param settings: The connection, with the secrets of the Authorization header.
        :param method: HTTP verb, in any case.
        :param path: Path below ``/elements/api-v2``, beginning with a slash.
        :param params: Query: texts, numbers, booleans and ``None`` (left out), or lists of these.
        :param body: Written as JSON, unless ``None``.
        :param form: Sent instead of ``body``, and made meanwhile.
        :param token: Element token.
        :param headers: Further headers.
        :raises CloudElementsValidationError: A part is of the wrong kind, or cannot be written.
        :raises CloudElementsConnectionError: The connection's header does not combine with a token.
        """
        verb = method.upper() if isinstance(method, str) else ""
        if not _METHOD.fullmatch(verb):
            raise CloudElementsValidationError("method must be an HTTP verb, such as GET.")
        if not isinstance(path, str) or not path.startswith("/"):
            # Without the slash the URL names something else, and a list's 404 passes for an empty list.
            shown = f" {without_query(path)}" if isinstance(path, str) else ""
            raise CloudElementsValidationError(f"{verb}{shown}: a path starts with '/'.")
        name = without_query(path)
        where = f"{verb} {name}"
        params = _checked_params(params, where)
        sent = {"Authorization": _authorization(settings, token), **_checked_headers(headers, where)}
        data: bytes | Form | None = form
        if form is not None:
            sent["Content-Type"] = form.content_type
        elif body is not None:
            data = _written(body, verb, name)
            sent["Content-Type"] = "application/json"
        return cls(verb, name, path, params, body, data, token, sent)


def without_query(path: str) -> str:
    """Return a path without its query, for errors and logs."""
    return path.partition("?")[0]


def query_text(params: Mapping[str, Any]) -> str:
    """Return a query as ``requests`` writes it, without the mark before it.

    :param params: Its checked parameters. A list repeats its key, and ``None`` is left out.
    """
    pairs: list[tuple[str, Any]] = []
    for key, value in params.items():
        values = value if isinstance(value, list) else (value,)
        pairs += [(key, each) for each in values if each is not None]
    return urlencode(pairs)


def checked_timeout(value: Any) -> float:
    """Return a time-out in seconds.

    :param value: The time-out.
    :raises CloudElementsValidationError: It is no number above 0, or longer than a day.
    """
    if not is_number(value, most=LONGEST_TIMEOUT) or value == 0:
        raise CloudElementsValidationError(
            f"timeout must be a number of seconds above 0, at most {LONGEST_TIMEOUT}."
        )
    return float(value)


def checked_token(value: Any) -> str:
    """Return an element token.

    :param value: The token.
    :raises CloudElementsValidationError: It is no text that a header can carry.
    """
    if not isinstance(value, str) or not value or not (value.isascii() and value.isprintable()):
        raise CloudElementsValidationError("token must be an instance's element token, a text.")
    return value


def is_number(value: Any, least: float = 0.0, most: float = LONGEST_WAIT) -> TypeGuard[float]:
    """Say whether a value is a number within bounds. A boolean is none, and neither are nan and infinity.

    :param value: The value.
    :param least: The smallest one. Default: 0.
    :param most: The largest one. Default: the longest wait in seconds.
    """
    return not isinstance(value, bool) and isinstance(value, int | float) and least <= value <= most


def is_count(value: Any, least: int = 0, most: int | None = None) -> TypeGuard[int]:
    """Say whether a value is a whole number within bounds. A boolean is none.

    :param value: The value.
    :param least: The smallest one. Default: 0.
    :param most: The largest one. ``None`` and default: that of a list's items.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        return False
    return least <= value <= (sys.maxsize if most is None else most)


def bare(value: Any) -> Any:
    """Return the value of an enumeration's member, which ``str()`` would write by its name.

    :param value: A member, or anything else, which stays as it is.
    """
    return value.value if isinstance(value, Enum) else value


def _checked_params(params: Any, where: str) -> Mapping[str, Any] | None:
    if params is None:
        return None
    if not isinstance(params, Mapping):
        raise CloudElementsValidationError(f"{where}: params must be a dictionary.")
    checked: dict[str, Any] = {}
    for key, value in params.items():
        values = [bare(each) for each in (value if isinstance(value, list | tuple) else [value])]
        if not isinstance(key, str) or not all(each is None or isinstance(each, _PLAIN) for each in values):
            named = f" {key!r}" if isinstance(key, str) else "s"
            raise CloudElementsValidationError(
                f"{where}: the query's parameter{named} must be a text, a number, a boolean, or a list of "
                "these, under a key that is a text."
            )
        checked[key] = values if isinstance(value, list | tuple) else values[0]
    return checked


def _checked_headers(headers: Any, where: str) -> Mapping[str, str]:
    given = {} if headers is None else headers
    if not isinstance(given, Mapping) or not all(
        isinstance(each, str) for pair in given.items() for each in pair
    ):
        raise CloudElementsValidationError(f"{where}: headers must be a dictionary of texts.")
    return given


def _authorization(settings: ConnectionSettings, token: str | None) -> str:
    if token is None:
        return settings.authorization_header
    checked_token(token)
    if settings.authorization:  # unknown U2
        raise CloudElementsConnectionError(
            f"Connection {settings.conn_id!r}, field 'authorization': no document says how a "
            "raw header combines with an element token. Use the User and Organization secrets for "
            "calls through an instance."
        )
    return f"{settings.authorization_header}, Element {token}"


def _written(body: Any, method: str, path: str) -> bytes:
    data = b""
    problem = None
    try:
        data = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = type(error).__name__
    if problem:
        raise CloudElementsValidationError(
            f"{method} {path}: the body cannot be written as JSON ({problem}). "
            "Use strings, numbers, booleans, lists and dictionaries only.",
            method=method,
            path=path,
        )
    if len(data) > LARGEST_BODY:
        raise CloudElementsValidationError(
            f"{method} {path}: {len(data)} bytes are too many; the platform accepts {LARGEST_BODY}.",
            method=method,
            path=path,
        )
    return data
