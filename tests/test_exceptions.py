"""The errors: one base, kinds to catch, and nothing lost on the way between processes."""

from __future__ import annotations

import copy
import pickle

import pytest

from airflow_provider_cloudelements import exceptions
from airflow_provider_cloudelements.compat import AirflowException
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsAuthError,
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
