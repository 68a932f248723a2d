"""Giving credentials: doubts are found out, own tags kept, and nothing is enabled that a person disabled."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.client.tags import own_tags
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsInstanceDisabledError,
    CloudElementsServerError,
)
from airflow_provider_cloudelements.provisioning.change import Change, reauthenticate, update
from airflow_provider_cloudelements.provisioning.ensure import ensure
from airflow_provider_cloudelements.provisioning.fingerprints import fingerprint_tags, fingerprints_of
from airflow_provider_cloudelements.provisioning.memory import CallMemory
from tests.support.platform import (
    Person,
    Wire,
    client_of,
    configured,
    presented,
    settings_of,
    spec_of,
)

SETTLE = 0.2
#: How the answer to a write that took place gets lost.
LOST = {
    "dropped": {"action": "drop"},
    "504": {"action": "status", "status": 504},
    "html": {"action": "html", "status": 200},
}


@pytest.fixture
def instances(sandbox):
    with client_of(sandbox, max_retries=0) as client:
        yield client.instances


def state(sandbox):
    (there,) = sandbox.instances()
    return there["valid"], there["disabled"]


def anew(spec, sandbox):
    """Return a spec with a new credential."""
    if spec.provider_data:
        return replace(spec, provider_data={"code": sandbox.code()})
    return configured(spec, password="second-password")


# -- in doubt -------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["ensure", "reauthenticate"])
@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("way", ["basic", "code"])
def test_an_answer_lost_while_mending_is_found_out_in_the_same_try(way, lost, by, sandbox, person, instances):
    spec = spec_of(way, sandbox)
    made = ensure(instances, spec).instance
    person.disable(made.id)
    better, wire = anew(spec, sandbox), Wire(sandbox)
    sandbox.add_fault(**LOST[lost], when="after", method="PATCH")
    if by == "ensure":
        assert ensure(instances, better, settle_time=SETTLE).instance.healthy
    else:
        given = {key: better.configuration[key] for key in ("password",) if key in better.configuration}
        found = instances.get(made.id)
        login = better.provider_data
        done = reauthenticate(instances, found, configuration=given, provider_data=login, settle_time=SETTLE)
        assert done.instance.token is None
    assert wire.writes() == ["PUT /instances/N/enabled", "PATCH /instances/N"]
    assert state(sandbox) == (True, False)
    # A later run, which remembers nothing, finds nothing to do.
    wire = Wire(sandbox)
    assert ensure(instances, better).changed == ()
    assert wire.writes() == []


@pytest.mark.parametrize("took_place", [True, False])
@pytest.mark.parametrize("way", ["basic", "code"])
def test_where_nobody_can_find_out_it_stays_enabled_and_the_next_try_sees(
    way, took_place, sandbox, person, instances, caplog
):
    spec = spec_of(way, sandbox)
    made = ensure(instances, spec).instance
    person.disable(made.id)
    better, memory = anew(spec, sandbox), CallMemory()
    sandbox.add_fault("drop", when="after" if took_place else "before", method="PATCH")
    sandbox.add_fault("status", status=500, method="GET", path="/instances/*", count=None)
    with pytest.raises(CloudElementsError):
        ensure(instances, better, settle_time=SETTLE, memory=memory)
    assert "stays enabled: it is not known whether" in caplog.text
    assert state(sandbox) == (True, False)
    sandbox.clear_faults()
    if way == "code" and not took_place:
        # The code may be spent, so it cannot mend the instance: it is disabled as it was.
        with pytest.raises(CloudElementsError, match="may have sent this authorization code"):
            ensure(instances, better, memory=memory)
        assert state(sandbox) == (True, True)
        return
    # A later run remembers nothing.
    again = ensure(instances, better)
    assert again.instance.healthy
    assert ("password" in again.changed) == (way == "basic" and not took_place)
    assert presented(sandbox) == ([1, 1] if way == "code" else [])


@pytest.mark.parametrize("way", ["basic", "code"])
def test_what_took_place_after_the_try_disabled_it_again_is_judged_by_what_works(way, sandbox, person):
    memory = CallMemory()
    with client_of(sandbox, max_retries=0, create_timeout=0.2) as client:
        instances = client.instances
        spec = spec_of(way, sandbox)
        made = ensure(instances, spec).instance
        person.disable(made.id)
        better = anew(spec, sandbox)
        sandbox.add_fault("delay", seconds=0.8, method="PATCH")
        with pytest.raises(CloudElementsError):
            ensure(instances, better, settle_time=0.1, memory=memory)
        assert state(sandbox) == (True, True)
        assert memory.disabled(made.id)
        until = time.monotonic() + 10
        while sandbox.counters()["running"] and time.monotonic() < until:
            time.sleep(0.02)
        wire = Wire(sandbox)
        again = ensure(instances, better, memory=memory)
        assert wire.calls() == ["GET /instances", "PUT /instances/N/enabled", "GET /instances/N"]
    assert again.instance.healthy
    assert state(sandbox) == (True, False)
    assert not memory.disabled(made.id)
    # What a person disables from now on stays so.
    person.disable(made.id)
    with client_of(sandbox) as client, pytest.raises(CloudElementsInstanceDisabledError):
        ensure(client.instances, better, memory=memory)
    assert state(sandbox) == (True, True)


def test_what_a_try_disabled_after_a_refusal_is_tried_again_when_the_vendor_may_have_changed(
    sandbox, person, instances
):
    spec, memory = spec_of("basic", sandbox), CallMemory()
    made = ensure(instances, spec).instance
    person.disable(made.id)
    sandbox.vendor_secrets("closeio", ["first-password"])
    better = configured(spec, password="second-password")
    for _ in range(2):
        with pytest.raises(CloudElementsInstanceDisabledError, match="did not mend it"):
            ensure(instances, better, memory=memory)
        assert state(sandbox) == (False, True)
    sandbox.vendor_secrets("closeio", ["second-password"])
    assert ensure(instances, better, memory=memory).instance.healthy
    assert state(sandbox) == (True, False)


def test_an_enabling_that_is_refused_leaves_no_trace(sandbox, person, instances):
    spec, memory = spec_of("basic", sandbox), CallMemory()
    made = ensure(instances, spec).instance
    person.disable(made.id)
    sandbox.add_fault("status", status=403, method="PUT")
    with pytest.raises(CloudElementsError):
        ensure(instances, configured(spec, password="second-password"), memory=memory)
    assert not memory.enabled(made.id)
    # One whose answer is lost is taken back.
    sandbox.add_fault("drop", when="after", method="PUT")
    with pytest.raises(CloudElementsError):
        ensure(instances, configured(spec, password="second-password"), memory=memory)
    assert state(sandbox) == (True, True)


# -- what is not known ----------------------------------------------------------------------------


@pytest.fixture
def rotated(sandbox):
    """Give the instances of the same account, by a connection whose fingerprints are others."""
    header = f"User {sandbox.user_secret}, Organization {sandbox.organization_secret}"
    raw = settings_of(sandbox, user_secret=None, organization_secret=None, authorization=header)
    with CloudElementsClient(raw) as client:
        yield client.instances


@pytest.mark.parametrize("way", ["basic", "refresh", "code"])
def test_what_is_not_known_enables_nothing_that_was_disabled_on_purpose(
    way, sandbox, person, instances, rotated
):
    spec = spec_of(way, sandbox)
    person.disable(ensure(instances, spec).instance.id)
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsInstanceDisabledError, match="nobody can tell whether it has"):
        ensure(rotated, spec)
    assert wire.writes() == []
    assert state(sandbox) == (True, True)
    assert presented(sandbox) == ([1] if way == "code" else [])


@pytest.mark.parametrize("way", ["basic", "refresh"])
def test_what_is_not_known_mends_what_the_platform_gave_up(way, sandbox, instances, rotated):
    spec = spec_of(way, sandbox)
    made = ensure(instances, spec).instance
    sandbox.set_instance(made.id, disabled=True, valid=False)
    key = "password" if way == "basic" else "oauth.user.refresh_token"
    better = replace(spec, configuration={**spec.configuration, key: "a-new-one"})
    assert ensure(rotated, better).instance.healthy


# -- tags -----------------------------------------------------------------------------------------


def after_patch(instances, act):
    """Let another writer act after the next PATCH, before its answer is there."""
    patch = instances.update

    def patch_and_act(instance_id, **changes):
        instances.update = patch
        patch(instance_id, **changes)
        act(instance_id)
        return instances.get(instance_id)

    instances.update = patch_and_act


CHANGES = {
    "tags": {"add_tags": ("new",)},
    "configuration": {"configuration": {"event.poller.refresh_interval": 5}},
    "secret": {"configuration": {"password": "second-password"}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_own_tags_that_another_writer_dropped_come_back(change, sandbox, person, instances, caplog):
    made = ensure(instances, spec_of("basic", sandbox, origin="run 1")).instance
    after_patch(instances, lambda instance_id: person.edit(instance_id, tags=["by hand"]))
    done = update(instances, instances.get(made.id), Change(**CHANGES[change]))
    (there,) = sandbox.instances()
    assert sorted(tag.split(":")[0] for tag in own_tags(there["tags"])) == [
        "airflow",
        "airflow-auth",
        "airflow-key",
        "airflow-run",
    ]
    assert "by hand" in there["tags"]
    assert tuple(there["tags"]) == done.instance.tags
    assert "dropped own tags" in caplog.text
    # The fingerprint is that of the credentials that it has now.
    wire = Wire(sandbox)
    password = "second-password" if change == "secret" else "first-password"
    update(instances, instances.get(made.id), Change(configuration={"password": password}))
    assert wire.writes() == []


def test_own_tags_dropped_right_after_the_create_come_back(sandbox, person, instances):
    spec = spec_of("basic", sandbox, origin="run 1")
    create = instances.create

    def create_and_edit(**arguments):
        made = create(**arguments)
        person.edit(made.id, tags=["by hand", spec.marker])
        return made

    instances.create = create_and_edit
    ensured = ensure(instances, spec)
    (there,) = sandbox.instances()
    assert set(own_tags(there["tags"])) == set(
        own_tags(spec.tags_to_create(fingerprints_of(instances, ensured.instance)))
    )
    assert "by hand" in there["tags"]
    wire = Wire(sandbox)
    assert ensure(instances, spec).changed == ()
    assert wire.calls() == ["GET /instances"]


def test_an_older_fingerprint_that_another_writer_put_back_is_replaced(sandbox, person, instances):
    spec = spec_of("basic", sandbox)
    made = ensure(instances, spec).instance
    before = made.tags
    # It read the tags before our write, and wrote them after it.
    after_patch(instances, lambda instance_id: person.edit(instance_id, tags=[*before, "by hand"]))
    better = configured(spec, password="second-password")
    ensure(instances, better)
    wire = Wire(sandbox)
    assert ensure(instances, better).changed == ()
    assert wire.writes() == []
    assert "by hand" in sandbox.instances()[0]["tags"]


def test_a_newer_fingerprint_of_another_writer_stays(sandbox, person, instances):
    spec = spec_of("basic", sandbox)
    made = ensure(instances, spec).instance
    newer = fingerprints_of(instances, made).tag({"password": "third-password"}, made.tags, made.id)
    others = [tag for tag in made.tags if tag not in fingerprint_tags(made.tags)]
    after_patch(instances, lambda instance_id: person.edit(instance_id, tags=[*others, newer]))
    ensure(instances, configured(spec, password="second-password"))
    assert fingerprint_tags(sandbox.instances()[0]["tags"]) == (newer,)


def test_a_platform_that_loses_them_each_time_is_reported_and_does_not_go_on_for_ever(
    sandbox, instances, caplog
):
    made = ensure(instances, spec_of("basic", sandbox)).instance
    patch = instances.update
    instances.update = lambda instance_id, **changes: patch(instance_id, **{**changes, "tags": ["z"]})
    wire = Wire(sandbox)
    update(instances, instances.get(made.id), Change(add_tags=("new",)))
    assert wire.writes() == ["PATCH /instances/N"] * 4
    assert "dropped again and again" in caplog.text


def test_a_lost_write_of_tags_alone_is_not_settled(sandbox, instances):
    spec = spec_of("basic", sandbox)
    ensure(instances, spec)
    sandbox.add_fault("drop", when="after", method="PATCH")
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsError):
        ensure(instances, replace(spec, tags=("new",)), settle_time=20)
    assert wire.calls() == ["GET /instances", "PATCH /instances/N"]


@pytest.mark.parametrize("rows", ["whole", "short"])
def test_what_the_list_does_not_show_is_read(rows, sandbox, instances):
    sandbox.configure(list_rows=rows)
    spec, read = spec_of("basic", sandbox), ["GET /instances/N"] if rows == "short" else []
    wire = Wire(sandbox)
    ensured = ensure(instances, spec)
    assert wire.calls() == ["GET /instances", "POST /instances", "GET /instances", *read]
    wire = Wire(sandbox)
    again = ensure(instances, spec)
    assert wire.calls() == ["GET /instances", *read]
    assert again.instance == ensured.instance
    assert again.instance.token


def test_a_key_that_the_list_leaves_out_is_read_before_it_is_taken_for_different(sandbox, instances):
    spec = configured(spec_of("basic", sandbox), event__objects="leads")
    made = ensure(instances, spec).instance
    left = {key: value for key, value in made.configuration.items() if key != "event.objects"}
    listed = replace(made, configuration=left)
    wire = Wire(sandbox)
    assert update(instances, listed, Change(configuration={"event.objects": "leads"})).changed == ()
    assert wire.calls() == ["GET /instances/N"]
    wire = Wire(sandbox)
    wanted = {"event.objects": "leads", "password": "first-password"}
    assert reauthenticate(instances, listed, configuration=wanted).changed == ()
    assert wire.calls() == ["GET /instances/N", "GET /ping"]


def test_a_disabled_one_whose_row_does_not_say_so_is_not_taken_for_healthy(sandbox, person, instances):
    sandbox.configure(list_rows="short")
    spec = spec_of("basic", sandbox)
    person.disable(ensure(instances, spec).instance.id)
    with pytest.raises(CloudElementsInstanceDisabledError):
        ensure(instances, spec)


# -- the id ---------------------------------------------------------------------------------------


def test_the_id_is_reported_at_once_and_every_later_failure_carries_it(sandbox, instances, caplog):
    caplog.set_level(logging.INFO, "airflow_provider_cloudelements")
    ids = []
    sandbox.add_fault("status", status=500, method="GET", path="/instances", skip=1)
    spec = spec_of("basic", sandbox)
    with pytest.raises(CloudElementsServerError) as caught:
        ensure(instances, spec, on_id=ids.append)
    (there,) = sandbox.instances()
    assert (caught.value.instance_id, ids) == (there["id"], [there["id"]])
    assert f"Instance {there['id']} was made for 'closeio/An instance'." in caplog.text
    # One that is found is reported before anything is written to it.
    sandbox.add_fault("status", status=500, method="PATCH")
    with pytest.raises(CloudElementsServerError) as caught:
        ensure(instances, replace(spec, tags=("new",)), on_id=ids.append)
    assert (caught.value.instance_id, ids) == (there["id"], [there["id"]] * 2)


def test_a_later_try_that_fails_at_its_look_up_still_reports_what_an_earlier_one_made(sandbox, instances):
    spec, memory, ids = spec_of("basic", sandbox), CallMemory(), []
    made = ensure(instances, spec, memory=memory).instance
    sandbox.add_fault("status", status=500, method="GET", path="/instances")
    with pytest.raises(CloudElementsServerError) as caught:
        ensure(instances, spec, memory=memory, on_id=ids.append)
    assert (caught.value.instance_id, ids) == (made.id, [made.id])
    # One that is gone is reported no more.
    Person(sandbox).delete(made.id)
    sandbox.add_fault("status", status=400, method="POST")
    with pytest.raises(CloudElementsError) as caught:
        ensure(instances, spec, memory=memory, on_id=ids.append)
    assert (caught.value.instance_id, ids) == (None, [made.id])


def test_the_id_of_an_instance_that_does_not_fit_is_no_ones(sandbox, instances):
    ensure(instances, spec_of("basic", sandbox, key="shared"))
    ids = []
    for changes, if_exists in (({"name": "Another"}, "update"), ({}, "fail")):
        with pytest.raises(CloudElementsError) as caught:
            ensure(
                instances,
                spec_of("basic", sandbox, key="shared", **changes),
                if_exists=if_exists,
                on_id=ids.append,
            )
        assert (caught.value.instance_id, ids) == (None, [])
