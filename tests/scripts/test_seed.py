"""What ``make up`` and ``make pictures`` put into the sandbox, and what they say of each example."""

from __future__ import annotations

import socket

import pytest

from scripts import demo_connections, seed
from scripts.example_hints import HINTS, hints
from scripts.examples import GENERAL_TAGS, TOPICS, examples


@pytest.fixture
def connections(cloudelements_sandbox):
    """The examples' connections; their events go to a port of this machine where nobody listens."""
    sandbox = cloudelements_sandbox
    found = demo_connections.connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/webhooks/cloudelements"
        found["microsoft_graph_app"]["extra"]["event_callback_url"] = address
        yield found


def test_it_holds_something_for_each_example_that_needs_it(cloudelements_sandbox, connections):
    sandbox = cloudelements_sandbox
    seed.Seeder(sandbox.url, connections).seed()
    instances = {each["name"]: each for each in sandbox.instances()}
    assert instances["Ada's calendar"]["tags"] == [seed.ADOPTED]
    checked = {name: each["valid"] for name, each in instances.items() if seed.CHECKED in each["tags"]}
    assert checked == {"Sales north": True, "Sales south": False, "Board room": False}
    portals = [each for each in instances.values() if each["element"] == "hubspotcrm"]
    assert [each["valid"] for each in portals] == [True] * 3
    statuses = [each["status"] for each in sandbox.deliveries()]
    assert statuses == ["queued"] * seed.QUEUED
    assert sandbox.event_counters()["accepted"] == seed.QUEUED + seed.LOST
    (job,), (execution,) = sandbox.bulk_jobs(), sandbox.formula_executions()
    assert (job["status"], job["records"]) == ("COMPLETED", seed.CONTACTS)
    assert (execution["formula"], execution["status"]) == ("Count contacts", "success")
    # A meeting in every calendar changes only those that the examples make.
    assert not any(each["eventsEnabled"] for each in instances.values())


def test_the_vendor_takes_the_old_and_the_new_secret(cloudelements_sandbox, connections):
    sandbox = cloudelements_sandbox
    seed.Seeder(sandbox.url, connections).rotated()
    sandbox.vendor_secrets("hubspotcrm", [connections["hubspot_app"]["password"]])
    assert {each["valid"] for each in sandbox.instances()} == {False}


def test_each_example_has_a_hint_a_description_and_a_topic():
    found = examples()
    assert sorted(f"example_{name}" for name in HINTS) == [each.dag_id for each in found]
    assert all(line.split(maxsplit=1)[1] for line in hints([each.dag_id for each in found]))
    for each in found:
        if each.dag_id == "example_ten_lines":  # as short as can be
            continue
        assert each.description == each.doc.partition("\n")[0], each.dag_id
        assert GENERAL_TAGS < set(each.tags), each.dag_id
        assert set(each.tags) & set(TOPICS), each.dag_id
