"""The calls that read events."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from tests.support.wire import Wire, account, page


def test_calls_are_the_documented_ones() -> None:
    with Wire(
        [page([{"id": "a"}], "t1"), page([{"id": "b"}]), page([{"id": "c"}]), page({"id": "d"})]
    ) as wire:
        client = account(wire.url).client
        assert [each.id for each in client.events.list()] == ["a", "b"]
        (event,) = client.events.list(5)
        assert (event.id, event.instance_ids) == ("c", (5,))
        assert client.events.get(" a/b?c ", 5).instance_ids == (5,)
        assert client.events.get("d").instance_ids == ()
    assert wire.targets() == [
        "GET /elements/api-v2/instances/events?pageSize=200",
        "GET /elements/api-v2/instances/events?pageSize=200&nextPage=t1",
        "GET /elements/api-v2/instances/5/events?pageSize=200",
        "GET /elements/api-v2/instances/5/events/a%2Fb%3Fc",
        "GET /elements/api-v2/instances/events/d",
    ]
    assert all("Element " not in (call.header("Authorization") or "") for call in wire.calls)


@pytest.mark.parametrize("event_id", ["", " ", ".", "..", None, 5])
def test_an_id_that_would_name_something_else_is_refused(event_id: Any) -> None:
    with Wire(page({"id": "a"})) as wire, pytest.raises(CloudElementsValidationError, match="event_id"):
        account(wire.url).client.events.get(event_id)
    assert wire.calls == []
