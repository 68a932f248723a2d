"""When the server may have executed a call that failed."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.client.wire.doubt import may_have_acted
from airflow_provider_cloudelements.exceptions import CloudElementsError
from tests.support.wire import Wire, account, answer

REFUSED = (301, 302, 400, 401, 403, 404, 405, 409, 413, 418, 422, 423, 424, 425, 429, 451)
IN_DOUBT = (408, 499, 500, 501, 502, 503, 504, 507, 520, 524, 599)


@pytest.mark.parametrize("body", [{"message": "no", "requestId": "5f3c0a1b"}, b"<html>no</html>"], ids=str)
@pytest.mark.parametrize(
    ("status", "doubt"), [*((each, False) for each in REFUSED), *((each, True) for each in IN_DOUBT)]
)
def test_an_answer_that_does_not_refuse_leaves_a_doubt(status: int, doubt: bool, body: object) -> None:
    with Wire(answer(body, status=status)) as wire, pytest.raises(CloudElementsError) as failed:
        account(wire.url, max_retries=0).client.http.send("POST", "/instances", body={})
    assert failed.value.status == status
    assert may_have_acted(failed.value) is doubt
