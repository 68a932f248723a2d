"""What an apply does: what was approved and is still needed, once, and nothing else."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.exceptions import (
    CloudElementsConflictError,
    CloudElementsManifestError,
    CloudElementsUnsafePlanError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.fleet import Safety, Status, apply, plan
from airflow_provider_cloudelements.provisioning import InstanceSpec, ensure
from tests.support.fleet import PASSWORD, TAG, applied, both, connection, manifest_of, tenants
from tests.support.platform import Wire, client_of


def statuses(report):
    return [str(each.status) for each in report.results]


def test_a_create_is_one_call_between_two_readings_of_the_list(client, connections, sandbox):
    made = plan(client, manifest_of(*tenants(20)), connections)
    wire = Wire(sandbox)
    report = apply(client, made, made.checksum, connections, concurrency=5)
    assert report.ok
    assert report.verified
    assert sorted(wire.calls()) == ["GET /instances"] * 2 + ["POST /instances"] * 20
    assert len(sandbox.instances()) == 20


def test_applying_an_empty_plan_calls_nothing_but_the_list(client, connections, sandbox):
    applied(client, manifest_of(*tenants(3)), connections)
    made = plan(client, manifest_of(*tenants(3)), connections)
    wire = Wire(sandbox)
    assert apply(client, made, made.checksum, connections).ok
    assert wire.writes() == []


def test_the_checksum_must_be_that_of_the_plan(client, connections, sandbox):
    made = plan(client, manifest_of(*tenants(1)), connections)
    other = plan(client, manifest_of(*tenants(2)), connections)
    wire = Wire(sandbox)
    for wrong in (other.checksum, "", None):
        with pytest.raises(CloudElementsConflictError, match="checksum"):
            apply(client, made, wrong, connections)
    assert wire.calls() == []


def test_a_plan_for_another_namespace_is_refused(client, connections, sandbox):
    made = plan(client, manifest_of(*tenants(1)), connections)
    with pytest.raises(CloudElementsConflictError, match="namespace"):
        apply(client_of(sandbox, namespace="other"), made, made.checksum, connections)


def test_running_again_finds_everything_done(client, connections, sandbox):
    made = plan(client, manifest_of(*tenants(5)), connections)
    apply(client, made, made.checksum, connections)
    wire = Wire(sandbox)
    again = apply(client, made, made.checksum, connections)
    assert statuses(again) == ["already"] * 5
    assert wire.calls() == ["GET /instances"]


def test_one_failure_does_not_stop_the_rest(client, connections, sandbox):
    sandbox.add_fault("status", method="POST", path="/instances", status=400, skip=2)
    _, report = both(client, manifest_of(*tenants(6)), connections, concurrency=1)
    assert sorted(statuses(report)) == ["done"] * 5 + ["failed"]
    assert not report.ok
    assert len(sandbox.instances()) == 5


def test_fail_fast_skips_the_rest(client, connections, sandbox):
    sandbox.add_fault("status", method="POST", path="/instances", status=400, skip=2)
    _, report = both(client, manifest_of(*tenants(6)), connections, concurrency=1, fail_fast=True)
    assert statuses(report) == ["done", "done", "failed", "skipped", "skipped", "skipped"]
    assert len(sandbox.instances()) == 2


def test_a_refused_secret_of_ours_stops_the_rest(client, connections, sandbox):
    sandbox.add_fault("status", method="POST", path="/instances", status=401, count=None)
    _, report = both(client, manifest_of(*tenants(6)), connections, concurrency=1)
    assert statuses(report)[0] == "failed"
    assert set(statuses(report)[1:]) == {"skipped"}


def test_limits_refuse_before_anything_is_called(client, connections, sandbox):
    applied(client, manifest_of(*tenants(12)), connections)
    rows = [{**each, "tags": ["gold"]} for each in tenants(12)]
    made = plan(client, manifest_of(*rows), connections)
    assert [each.rule for each in made.violations] == ["updates"]
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsUnsafePlanError, match="force 'updates'"):
        apply(client, made, made.checksum, connections)
    with pytest.raises(CloudElementsUnsafePlanError, match="max_changes=11"):
        apply(client, made, made.checksum, connections, force=["updates"], max_changes=11)
    for blanket in (True, "updates"):
        with pytest.raises(CloudElementsValidationError, match="list of names"):
            apply(client, made, made.checksum, connections, force=blanket)
    assert wire.calls() == []
    assert apply(client, made, made.checksum, connections, force=["updates"]).ok


def test_a_few_changes_of_a_small_fleet_are_safe_and_a_limit_in_number_counts(client, connections):
    applied(client, manifest_of(*tenants(3)), connections)
    rows = [{**each, "tags": ["gold"]} for each in tenants(3)]
    assert plan(client, manifest_of(*rows), connections).safe
    assert not plan(client, manifest_of(*rows), connections, safety=Safety(max_updates=2)).safe
    assert not plan(client, manifest_of(*rows), connections, safety=Safety(least=3)).safe


def test_max_deletes(client, connections, sandbox):
    applied(client, manifest_of(*tenants(3), events_enabled=False), connections)
    made = plan(client, manifest_of(), connections, prune=True)
    assert made.deletes == 3
    with pytest.raises(CloudElementsUnsafePlanError, match="max_deletes=2"):
        apply(client, made, made.checksum, connections, max_deletes=2, force=["deletes"])
    assert apply(client, made, made.checksum, connections, max_deletes=3, force=["deletes"]).ok
    assert sandbox.instances() == []


def test_a_manifest_without_rows_deletes_nothing_unforced(client, connections, sandbox):
    """A query that returned nothing looks the same as a wish to delete all."""
    applied(client, manifest_of(*tenants(3), events_enabled=False), connections)
    made = plan(client, manifest_of(), connections, prune=True)
    assert [each.force for each in made.violations] == ["deletes"]
    with pytest.raises(CloudElementsUnsafePlanError, match="3 deletes by a manifest without any row"):
        apply(client, made, made.checksum, connections)
    assert len(sandbox.instances()) == 3
    # One row is a wish; and where nothing is managed, nothing is deleted.
    assert plan(client, manifest_of(*tenants(1), events_enabled=False), connections, prune=True).safe
    assert plan(client, manifest_of(tag="another"), connections, prune=True).safe


def test_what_has_changed_since_the_plan_is_not_written(client, connections, sandbox, person):
    applied(client, manifest_of(*tenants(2)), connections)
    rows = [{**each, "name": f"New {each['name']}"} for each in tenants(2)]
    made = plan(client, manifest_of(*rows), connections)
    ids = {each["name"]: each["id"] for each in sandbox.instances()}
    person.edit(ids["Tenant 1"], configuration={"event.notification.callback.url": "https://other.example"})
    report = apply(client, made, made.checksum, connections)
    assert statuses(report) == ["stale", "done"]
    assert {each["name"] for each in sandbox.instances()} == {"Tenant 1", "New Tenant 2"}


def test_a_secret_that_was_rotated_since_the_plan_is_not_written(client, connections, sandbox):
    made = plan(client, manifest_of(*tenants(2)), connections)
    connections["closeio_app"] = connection("another")
    wire = Wire(sandbox)
    report = apply(client, made, made.checksum, connections)
    assert statuses(report) == ["stale", "stale"]
    assert wire.writes() == []


def test_a_delete_waits_for_approval_again_when_events_were_switched_on(client, connections, sandbox, person):
    applied(client, manifest_of(*tenants(1), events_enabled=False), connections)
    made = plan(client, manifest_of(), connections, prune=True)
    (instance,) = sandbox.instances()
    person.edit(instance["id"], configuration={"event.notification.enabled": True})
    assert statuses(apply(client, made, made.checksum, connections, force=["deletes"])) == ["stale"]
    assert len(sandbox.instances()) == 1


def test_an_instance_that_lost_the_tag_is_not_deleted(client, connections, sandbox, person):
    applied(client, manifest_of(*tenants(1), events_enabled=False), connections)
    made = plan(client, manifest_of(), connections, prune=True)
    (instance,) = sandbox.instances()
    person.edit(instance["id"], tags=["mine"])
    assert statuses(apply(client, made, made.checksum, connections, force=["deletes"])) == ["stale"]
    assert len(sandbox.instances()) == 1


def test_deleted_meanwhile_counts_as_done(client, connections, sandbox, person):
    applied(client, manifest_of(*tenants(1), events_enabled=False), connections)
    made = plan(client, manifest_of(), connections, prune=True)
    person.delete(sandbox.instances()[0]["id"])
    assert statuses(apply(client, made, made.checksum, connections, force=["deletes"])) == ["already"]


def test_a_lost_answer_is_found_and_nothing_is_made_twice(sandbox, connections):
    client = client_of(sandbox, max_retries=0)
    sandbox.add_fault("drop", when="after", method="POST", path="/instances", count=2)
    sandbox.add_fault("status", when="after", status=502, method="POST", path="/instances", count=2)
    _, report = both(client, manifest_of(*tenants(8)), connections, settle_time=5)
    assert report.ok, report.markdown()
    assert len(sandbox.instances()) == 8


def test_a_create_that_did_not_take_place_is_sent_again_after_the_settle_time(sandbox, connections):
    client = client_of(sandbox, max_retries=0)
    sandbox.add_fault("status", when="before", status=503, method="POST", path="/instances", count=2)
    _, report = both(client, manifest_of(*tenants(8)), connections, settle_time=0.2)
    assert report.ok, report.markdown()
    assert len(sandbox.instances()) == 8


def test_too_many_calls_are_sent_again_until_they_pass(sandbox, connections, monkeypatch):
    # If one call alone meets all six refusals, the pauses double each time, to 20 seconds in all.
    monkeypatch.setattr("airflow_provider_cloudelements.fleet.gate._FIRST", 0.05)
    client = client_of(sandbox, max_retries=0)
    sandbox.add_fault("status", status=429, method="POST", path="/instances", count=6)
    wire = Wire(sandbox)
    _, report = both(client, manifest_of(*tenants(30)), connections, concurrency=4)
    assert report.ok, report.markdown()
    assert len(sandbox.instances()) == 30
    assert wire.writes() == ["POST /instances"] * 36


def test_a_twin_of_a_race_is_deleted_and_the_oldest_stays(client, connections, sandbox):
    made = plan(client, manifest_of(*tenants(2)), connections)
    # Another apply begins when this one has looked, and has not created yet.
    raced = []

    def race(progress):
        if not raced:
            raced.append(True)
            other = client_of(sandbox)
            body = {
                "element": {"key": "closeio"},
                "name": "Tenant 1",
                "configuration": {"username": "a", "password": "b"},
            }
            first = next(each for each in sandbox.instances())
            tags = next(row.tags for row in other.instances.list() if row.id == first["id"])
            other.instances.create(
                element="closeio", name=first["name"], configuration=body["configuration"], tags=tags
            )

    report = apply(client, made, made.checksum, connections, concurrency=1, on_progress=race)
    assert report.ok, report.markdown()
    assert len(report.twins_deleted) == 1
    assert len(sandbox.instances()) == 2
    assert plan(client, manifest_of(*tenants(2)), connections).empty


@pytest.mark.parametrize("moment", ["before", "beside"])
def test_a_scheduled_create_of_the_key_that_was_sooner_keeps_its_instance(
    client, connections, sandbox, moment
):
    """It has the ownership tag, and all that the row asks for: only our own tags are missing."""
    made = plan(client, manifest_of(*tenants(2)), connections)
    there = []

    def create():
        configuration = {**connection().configuration, "event.notification.enabled": True}
        spec = InstanceSpec("closeio", "Tenant 1", "tenant-1", configuration, tags=(TAG,))
        there.append(ensure(client_of(sandbox).instances, spec, with_token=False).instance.id)

    if moment == "before":
        create()
    else:
        send = client.http.send

        def sent(method, *args, **more):
            if method == "POST" and not there:
                create()  # apply has looked, and its own create comes a moment later
            return send(method, *args, **more)

        client.http.send = sent
    report = apply(client, made, made.checksum, connections, concurrency=1)
    assert statuses(report) == ["done", "done"], report.markdown()
    assert len(report.twins_deleted) == (moment == "beside")
    assert report.results[0].instance_id == there[0]
    assert len(sandbox.instances()) == 2
    assert plan(client_of(sandbox), manifest_of(*tenants(2)), connections).clean


def test_parts_of_a_plan_are_applied_beside_each_other(client, connections, sandbox):
    made = plan(client, manifest_of(*tenants(7)), connections)
    parts = made.chunks(3)
    assert [len(each.changes) for each in parts] == [3, 3, 1]
    assert {each.whole for each in parts} == {made.checksum}
    for each in parts:
        assert apply(client, each, each.checksum, connections).ok
    assert plan(client, manifest_of(*tenants(7)), connections).empty


def test_a_part_knows_that_the_whole_is_not_safe(client, connections):
    applied(client, manifest_of(*tenants(12)), connections)
    rows = [{**each, "tags": ["gold"]} for each in tenants(12)]
    part = plan(client, manifest_of(*rows), connections).chunks(2)[0]
    with pytest.raises(CloudElementsUnsafePlanError):
        apply(client, part, part.checksum, connections)


def test_progress_and_report_show_no_secret(client, connections, caplog):
    told = []
    _, report = both(client, manifest_of(*tenants(4)), connections, on_progress=told.append)
    assert [(each.done, each.left) for each in told] == [(1, 3), (2, 2), (3, 1), (4, 0)]
    assert "4 done, 0 failed, 0 of 4 left" in str(told[-1])
    assert report.counts == {"done": 4, "already": 0, "failed": 0, "stale": 0, "skipped": 0, "total": 4}
    assert type(report).from_json(report.to_json()).counts == report.counts
    for text in (*map(str, told), report.markdown(), str(report.to_json()), repr(report), caplog.text):
        assert PASSWORD not in text


def test_a_connection_that_cannot_be_read_is_told_before_anything_is_called(client, connections, sandbox):
    made = plan(client, manifest_of(*tenants(1)), connections)
    connections.clear()
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsManifestError, match="closeio_app"):
        apply(client, made, made.checksum, connections)
    assert wire.calls() == []


def test_a_single_change_in_a_large_account_is_looked_up_by_its_tag(
    client, connections, sandbox, monkeypatch
):
    monkeypatch.setattr("airflow_provider_cloudelements.fleet.applying.PAGE_SIZE", 1)
    applied(client, manifest_of(*tenants(20)), connections)
    rows = [{**tenants(1)[0], "name": "Renamed"}, *tenants(19, 2)]
    made = plan(client, manifest_of(*rows), connections)
    wire = Wire(sandbox)
    report = apply(client, made, made.checksum, connections)
    assert [each.status for each in report.results] == [Status.DONE]
    assert len(wire.calls()) <= 5


@pytest.mark.parametrize("number", [0, -1, 257, 10**9, True, 1.0, "8"])
def test_how_many_changes_at_once_is_bounded(number, client, connections, sandbox):
    made = plan(client, manifest_of(*tenants(1)), connections)
    wire = Wire(sandbox)
    with pytest.raises(
        CloudElementsValidationError, match="concurrency must be a whole number from 1 to 256"
    ):
        apply(client, made, made.checksum, connections, concurrency=number)
    assert wire.calls() == []
