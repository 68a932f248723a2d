"""A trigger's interval is a number that can be waited for."""

from __future__ import annotations

import math

import pytest

from airflow_provider_cloudelements.triggers.events import (
    CloudElementsEventSensorTrigger,
    CloudElementsEventTrigger,
)
from airflow_provider_cloudelements.triggers.instances import CloudElementsInstanceTrigger

MAKE = {
    "instance": lambda value: CloudElementsInstanceTrigger(
        cloudelements_conn_id="c", name="instance 1", instance_id=1, poll_interval=value
    ),
    "sensor": lambda value: CloudElementsEventSensorTrigger(
        cloudelements_conn_id="c",
        cursor={"since": "2026-11-24T08:00:00Z"},
        instance_id=1,
        min_events=1,
        max_events=1,
        max_bytes=65_536,
        poll_interval=value,
    ),
    "watcher": lambda value: CloudElementsEventTrigger(name="w", instance_id=1, poll_interval=value),
}


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, pytest.param(10**400, id="huge"), -1, "10", True, None]
)
def test_an_interval_that_is_none_is_refused(kind, value):
    with pytest.raises(ValueError, match="poll_interval must be a number of seconds"):
        MAKE[kind](value)


@pytest.mark.parametrize("kind", MAKE)
def test_a_number_is_kept(kind):
    assert MAKE[kind](5).poll_interval == 5
