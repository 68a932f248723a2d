"""What a plan says of a world, and that it writes nothing."""

from __future__ import annotations

import json

import pytest

from airflow_provider_cloudelements.connections import ElementSettings
from airflow_provider_cloudelements.exceptions import CloudElementsServerError, CloudElementsValidationError
from airflow_provider_cloudelements.fleet import Plan, plan
from tests.support.fleet import PASSWORD, TAG, applied, both, connection, kinds, manifest_of, tenants
from tests.support.platform import Wire, client_of

PIPE = ElementSettings("pipedrive", "custom", {"api.token": "pipe/token+="}, "pipe")


@pytest.fixture
def three(client, connections):
    """A manifest of three tenants that exist."""
    manifest = manifest_of(*tenants(3))
    applied(client, manifest, connections)
    return manifest


def test_an_unchanged_world_gives_an_empty_plan_with_one_page_of_the_list(
    client, connections, sandbox, three
):
    wire = Wire(sandbox)
    made = plan(client, three, connections)
    assert (made.empty, made.unchanged, made.listed, made.managed, made.notes) == (True, 3, 3, 3, ())
    assert wire.calls() == ["GET /instances"]


def test_a_rotated_secret_is_exactly_one_change(client, connections, three):
    more = manifest_of(*tenants(2), {**tenants(1, 3)[0], "element_conn_id": "other"})
    connections["other"] = connection("second/pass+word=")
    made, report = both(client, more, connections)
    assert kinds(made) == [("reauthenticate", "tenant-3")]
    (field,) = made.changes[0].fields
    assert (field.name, field.before, field.after) == ("password", "***", "***")
    assert report.ok
    assert plan(client, more, connections).empty


def test_what_differs_is_told_field_by_field(client, connections, three):
    rows = tenants(3)
    rows[1] |= {"name": "Renamed", "tags": ["gold"], "configuration": {"event.poller.refresh_interval": "30"}}
    made, report = both(client, manifest_of(*rows), connections)
    (change,) = made.changes
    assert (str(change.kind), change.key) == ("update", "tenant-2")
    assert {each.name: (each.before, each.after) for each in change.fields} == {
        "name": ("Tenant 2", "Renamed"),
        "event.poller.refresh_interval": ("15", "30"),
        "tags": (["Tenant 2", TAG], ["Tenant 2", TAG, "gold"]),
    }
    assert report.ok
    assert plan(client, manifest_of(*rows), connections).empty


def test_an_enabled_and_a_disabled_one(client, connections, person, sandbox, three):
    ids = {each["name"]: each["id"] for each in sandbox.instances()}
    person.disable(ids["Tenant 1"])
    rows = [*tenants(1), {**tenants(1, 2)[0], "state": "disabled"}, *tenants(1, 3)]
    made, report = both(client, manifest_of(*rows), connections)
    assert kinds(made) == [("enable", "tenant-1"), ("disable", "tenant-2")]
    assert report.ok
    assert {each["name"]: each["disabled"] for each in sandbox.instances()} == {
        "Tenant 1": False,
        "Tenant 2": True,
        "Tenant 3": False,
    }
    assert plan(client, manifest_of(*rows), connections).empty


def test_another_element_is_a_replacement_that_must_be_forced_by_name(client, connections, sandbox, three):
    connections["pipe"] = PIPE
    rows = tenants(3)
    rows[2] |= {"element_conn_id": "pipe", "events_enabled": False}
    made = plan(client, manifest_of(*rows), connections)
    assert kinds(made) == [("replace", "tenant-3")]
    assert [(each.rule, each.force) for each in made.violations] == [("grave", "tenant-3")]
    _, report = both(client, manifest_of(*rows), connections, force=["tenant-3"])
    assert report.ok, report.markdown()
    assert sorted(each["element"] for each in sandbox.instances()) == ["closeio", "closeio", "pipedrive"]
    assert plan(client, manifest_of(*rows), connections).empty


def test_protected_ones_are_not_replaced(client, connections, three):
    connections["pipe"] = PIPE
    row = {**tenants(1)[0], "element_conn_id": "pipe", "events_enabled": False, "protect": True}
    made = plan(client, manifest_of(row, *tenants(2, 2)), connections, prune=True)
    assert made.empty
    assert "protects" in made.notes[0].text


def test_only_covered_ones_are_pruned(client, connections, person, three):
    person.make("basic", "by hand")
    assert plan(client, manifest_of(*tenants(1)), connections).empty
    made = plan(client, manifest_of(*tenants(1)), connections, prune=True)
    assert sorted(each.name for each in made.changes) == ["Tenant 2", "Tenant 3"]
    assert {str(each.kind) for each in made.changes} == {"delete"}
    assert {each.rule for each in made.violations} == {"grave"}  # their events are on


def test_prune_needs_an_ownership_tag(client, connections, sandbox):
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsValidationError, match="ownership_tag"):
        plan(client, manifest_of(*tenants(1), tag=None), connections, prune=True)
    assert wire.calls() == []


def test_a_renamed_key_keeps_its_instance(client, connections, sandbox, three):
    before = {each["name"]: each["id"] for each in sandbox.instances()}
    rows = [{"key": "customer-1", "name": "Tenant 1", "moved_from": "tenant-1"}, *tenants(2, 2)]
    made, report = both(client, manifest_of(*rows), connections)
    assert kinds(made) == [("move", "customer-1")]
    assert report.ok
    assert {each["name"]: each["id"] for each in sandbox.instances()} == before
    assert plan(client, manifest_of(*rows), connections).empty
    # The fingerprints moved along: the rotated secret is seen.
    connections["closeio_app"] = connection("second")
    assert len(plan(client, manifest_of(*rows), connections).changes) == 3


def test_an_instance_made_by_hand_is_adopted_only_when_allowed(client, connections, person, sandbox):
    number = person.make("basic", "Tenant 1")
    manifest = manifest_of(*tenants(1), events_enabled=False)
    assert kinds(plan(client, manifest, connections)) == [("create", "tenant-1")]
    made, report = both(client, manifest, connections, adopt=True)
    assert kinds(made) == [("adopt", "tenant-1")]
    assert report.ok, report.markdown()
    assert [each["id"] for each in sandbox.instances()] == [number]
    made = plan(client, manifest, connections)
    assert made.empty
    assert "password" in made.notes[0].text  # nobody can tell


def test_two_of_the_name_are_not_adopted(client, connections, person):
    person.make("basic", "Tenant 1")
    person.make("basic", "Tenant 1")
    made = plan(client, manifest_of(*tenants(1)), connections, adopt=True)
    assert made.empty
    assert "not clear" in made.notes[0].text


def test_an_instance_of_the_key_without_the_tag_is_left_alone(client, connections, sandbox):
    applied(client, manifest_of(*tenants(1), tag=None), connections)
    manifest = manifest_of({**tenants(1)[0], "name": "Other"})
    made = plan(client, manifest, connections)
    assert made.empty
    assert TAG in made.notes[0].text
    made, report = both(client, manifest, connections, adopt=True)
    assert kinds(made) == [("adopt", "tenant-1")]
    assert report.ok
    assert plan(client, manifest, connections).empty
    assert [each["name"] for each in sandbox.instances()] == ["Other"]


def test_an_absent_one_is_deleted(client, connections, sandbox, three):
    rows = [{"key": "tenant-1", "state": "absent"}, {"key": "never-was", "state": "absent"}, *tenants(2, 2)]
    made, report = both(client, manifest_of(*rows), connections, force=["tenant-1"])
    assert kinds(made) == [("delete", "tenant-1")]
    assert report.ok
    assert len(sandbox.instances()) == 2
    assert plan(client, manifest_of(*rows), connections).empty


def test_short_rows_of_the_list_are_read(client, connections, sandbox, three):
    sandbox.configure(list_rows="short")
    wire = Wire(sandbox)
    assert plan(client, three, connections).empty
    assert sorted(wire.calls()) == ["GET /instances", *["GET /instances/N"] * 3]


def test_a_list_that_cannot_be_read_fails_the_plan(sandbox, connections, three):
    client = client_of(sandbox, max_retries=0)
    sandbox.add_fault("status", method="GET", path="/instances", count=None)
    with pytest.raises(CloudElementsServerError):
        plan(client, three, connections)


def test_a_plan_survives_json_and_shows_no_secret(client, connections):
    made = plan(client, manifest_of(*tenants(2)), connections)
    text = json.dumps(made.to_json())
    again = Plan.from_json(text)
    assert again == made
    assert again.checksum == made.checksum == plan(client, manifest_of(*tenants(2)), connections).checksum
    for shown in (text, made.table(), made.markdown(), repr(made)):
        assert PASSWORD not in shown


def test_a_changed_plan_is_refused(client, connections):
    made = plan(client, manifest_of(*tenants(2)), connections).to_json()
    made["changes"][0]["name"] = "Other"
    with pytest.raises(CloudElementsValidationError, match="checksum"):
        Plan.from_json(made)


@pytest.mark.parametrize("wrong", ["", "[]", "{", {"version": 1}, {"version": 2}, None, 7])
def test_what_is_no_plan_is_refused(wrong):
    with pytest.raises(CloudElementsValidationError, match="no plan"):
        Plan.from_json(wrong)
