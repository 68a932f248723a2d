"""Mistakes in dates, cursors and selections of events."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.assets import cloudelements_event_asset
from airflow_provider_cloudelements.operators.event_reading import CloudElementsReadEventsOperator
from airflow_provider_cloudelements.sensors.events import CloudElementsEventSensor
from tests.support.mistakes import PASSWORD

READ = CloudElementsReadEventsOperator
#: Arguments of a task, by the mistake.
TASKS = {
    "since with a word": (READ, {"since": "yesterday"}),
    "since with 'now'": (READ, {"since": "now"}),
    "since that rendered to None": (READ, {"since": "None"}),
    "since with a number": (READ, {"since": 1764489600}),
    "since with a dictionary that is no cursor": (READ, {"since": {"count": 3}}),
    "since with a dictionary as Python writes it": (READ, {"since": "{'cursor': {'since': '2026'}}"}),
    "until with a word": (READ, {"since": "earliest", "until": "tomorrow"}),
    "where with an unknown path": (READ, {"since": "earliest", "where": {"subject": "x"}}),
    "object_types as one text": (READ, {"since": "earliest", "object_types": "contacts"}),
    "since and start": (READ, {"since": "earliest", "start": "2026-11-24T08:00:00Z"}),
    "a path without a file's name": (READ, {"since": "earliest", "path": 7}),
    "more wanted than may be returned": (CloudElementsEventSensor, {"min_events": 9, "max_events": 5}),
}


@pytest.mark.parametrize("name", TASKS)
def test_an_argument(newcomer, name):
    kind, arguments = TASKS[name]
    with newcomer.mistake(name):
        newcomer.run(kind, **{"tag": "acme", **arguments})
    assert newcomer.sandbox.requests() == []


def test_a_watcher_that_begins_at_a_word(newcomer):
    with newcomer.mistake("a watcher's start with a word"):
        cloudelements_event_asset("orders", tag="shop", start="today")


def test_a_watcher_of_nothing(newcomer):
    with newcomer.mistake("a watcher of no instance"):
        cloudelements_event_asset("orders")


def test_too_many_events(newcomer):
    from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

    login = newcomer.login()
    made = newcomer.run(CloudElementsCreateInstanceOperator, instance_name="x", element_conn_id=login)
    newcomer.sandbox.emit(made["id"])
    newcomer.sandbox.emit(made["id"])
    with newcomer.mistake("more events than XCom takes", PASSWORD):
        newcomer.run(READ, instance_id=made, since="earliest", max_xcom_events=1)
