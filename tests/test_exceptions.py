"""The errors: one base, kinds to catch, and nothing lost on the way between processes."""

from __future__ import annotations

import copy
import pickle
import re
from types import SimpleNamespace

import pytest
import requests

from airflow_provider_cloudelements import exceptions
from airflow_provider_cloudelements.client.wire.errors import failure_of_answer
from airflow_provider_cloudelements.compat import AirflowException
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsAuthError,
    CloudElementsBulkError,
    CloudElementsConflictError,
    CloudElementsConnectionError,
    CloudElementsError,
    CloudElementsForbiddenError,
    CloudElementsInstanceDisabledError,
    CloudElementsNotFoundError,
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsTimeoutError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)

KINDS = [
    each
    for each in vars(exceptions).values()
    if isinstance(each, type) and issubclass(each, CloudElementsError)
]
DETAILS = {
    "status": 418,
    "request_id": "5f3c0a1b2c3d4e5f60718293",
    "provider_message": "the vendor's words",
    "method": "PATCH",
    "path": "/instances/7",
}
OWN = {
    CloudElementsRateLimitError: {"retry_after": 2.5},
    CloudElementsServerError: {"retry_after": 3.5},
    CloudElementsTransportError: {"sent": False},
    CloudElementsTimeoutError: {"sent": False},
    CloudElementsAmbiguousCreateError: {"code_spent": True},
    CloudElementsBulkError: {"job_id": 7, "job_status": "ERROR"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("through", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])  # noqa: S301
def test_an_error_comes_out_of_a_pickle_as_it_went_in(kind: type[CloudElementsError], through) -> None:
    own = OWN.get(kind, {})
    error = through(kind("what went wrong", **DETAILS, **own))
    assert type(error) is kind
    assert str(error) == "what went wrong"
    assert {name: getattr(error, name) for name in {**DETAILS, **own}} == {**DETAILS, **own}
    assert error.retryable == kind("what went wrong", **DETAILS, **own).retryable


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_one_of_airflows_and_ours(kind: type[CloudElementsError]) -> None:
    assert issubclass(kind, AirflowException)
    assert issubclass(kind, CloudElementsError)


@pytest.mark.parametrize("kind", KINDS)
def test_details_are_none_when_nobody_knows_them(kind: type[CloudElementsError]) -> None:
    error = kind("text")
    assert [getattr(error, name) for name in DETAILS] == [None] * len(DETAILS)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (CloudElementsInstanceDisabledError, CloudElementsForbiddenError),
        (CloudElementsTimeoutError, CloudElementsTransportError),
    ],
)
def test_the_narrower_kind_is_caught_by_the_wider(narrow: type, wide: type) -> None:
    assert issubclass(narrow, wide)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (CloudElementsError("x"), True),
        (CloudElementsServerError("x"), True),
        (CloudElementsTransportError("x"), True),
        (CloudElementsTimeoutError("x"), True),
        (CloudElementsRateLimitError("x"), True),
        (CloudElementsConnectionError("x"), False),
        (CloudElementsAuthError("x"), False),
        (CloudElementsForbiddenError("x"), False),
        (CloudElementsInstanceDisabledError("x"), False),
        (CloudElementsNotFoundError("x"), False),
        (CloudElementsConflictError("x"), False),
        (CloudElementsValidationError("x"), False),
        (CloudElementsValidationError("x", provider_message="busy"), True),
        (CloudElementsAmbiguousCreateError("x"), True),
        (CloudElementsAmbiguousCreateError("x", code_spent=True), True),
    ],
    ids=repr,
)
def test_retryable_says_whether_a_later_try_may_succeed(error: CloudElementsError, retryable: bool) -> None:
    assert error.retryable is retryable


def test_a_transport_error_counts_as_sent_unless_proven_otherwise() -> None:
    assert CloudElementsTransportError("x").sent is True


def tree_of(text: str | None) -> list[tuple[str, str, str, str]]:
    """Return the rows that a docstring draws: name, name of the one above, status, what a retry does."""
    rows, above = [], {}
    for bars, name, status, retry in re.findall(
        r"^    ([│├└─ ]*)(CloudElements\w+)  +(?:(\S.*?)  +)?((?:helps|cannot help).*)$",
        text or "",
        re.MULTILINE,
    ):
        depth = len(bars) // 4
        above[depth] = name
        rows.append((name, above.get(depth - 1, ""), status, retry))
    return rows


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    rows = tree_of(exceptions.__doc__)
    assert [(name, above) for name, above, *_ in rows] == [
        (each.__name__, "" if each is CloudElementsError else each.__mro__[1].__name__) for each in KINDS
    ]


def test_the_tree_says_what_a_retry_does() -> None:
    for name, _, _, retry in tree_of(exceptions.__doc__):
        kind = getattr(exceptions, name)
        assert kind("x", provider_message="busy").retryable is retry.startswith("helps"), name
        assert kind("x").retryable is (retry.startswith("helps") and "only" not in retry), name


def test_the_tree_says_which_status_becomes_which_kind() -> None:
    by_status = {
        word: name
        for name, _, status, _ in tree_of(exceptions.__doc__)
        if name != "CloudElementsInstanceDisabledError"  # a 403 and the instance's state
        for word in status.split(", ")
    }
    settings = ConnectionSettings("http://127.0.0.1:1", "user", "organization")
    request = SimpleNamespace(method="GET", path="/x", params=None, body=None, token=None)
    for status in range(300, 600):
        answer = requests.Response()
        answer.status_code = status
        given = failure_of_answer(answer, b'{"message": "no"}', request, settings)
        usual = "other 4xx" if 400 <= status < 500 else f"{status // 100}xx"
        assert type(given).__name__ == by_status.get(str(status), by_status[usual]), status
