"""What a plan says of a world, and that it writes nothing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from airflow_provider_cloudelements.client.instances import InstancesApi
from airflow_provider_cloudelements.client.tags import namespace_tag
from airflow_provider_cloudelements.connections import ElementSettings
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsManifestError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.fleet import Plan, apply, plan
from airflow_provider_cloudelements.provisioning import InstanceSpec, ensure
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


def test_an_instance_without_an_element_is_read_and_never_replaced(client, connections, three, monkeypatch):
    pages, get = InstancesApi.pages, InstancesApi.get

    def nameless(each):
        return replace(each, element_key="", complete=False)

    monkeypatch.setattr(InstancesApi, "pages", lambda api: ([*map(nameless, page)] for page in pages(api)))
    assert plan(client, three, connections).empty
    monkeypatch.setattr(InstancesApi, "get", lambda api, number: nameless(get(api, number)))
    made = plan(client, three, connections)
    assert made.empty
    assert ["names no element" in each.text for each in made.notes] == [True] * 3


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


# -- whose instance it is --------------------------------------------------------------------------


def test_prune_leaves_the_instances_of_another_namespace_with_the_same_ownership_tag(sandbox, connections):
    """Two Airflows share an account and, by a slip, an ownership tag. Their namespaces keep them apart."""
    one, other = client_of(sandbox), client_of(sandbox, namespace="other")
    quiet = {"events_enabled": False}
    applied(one, manifest_of(*tenants(2), **quiet), connections)
    applied(other, manifest_of(*tenants(12), **quiet), connections)
    for client, there in ((one, 2), (other, 12)):
        made = plan(client, manifest_of(**quiet), connections, prune=True)
        assert (len(made.changes), made.managed) == (there, there)
        (note,) = made.notes
        assert f"{14 - there} instances have this ownership tag and another namespace" in note.text
    mine = {each.instance_id for each in made.changes}
    _, report = both(other, manifest_of(**quiet), connections, prune=True, force=["deletes"])
    assert report.ok, report.markdown()
    assert len(sandbox.instances()) == 2
    assert not mine & {each["id"] for each in sandbox.instances()}
    assert plan(one, manifest_of(*tenants(2), **quiet), connections, prune=True).clean


def test_prune_leaves_what_nothing_shows_to_be_ours_until_a_row_names_it(
    client, connections, person, sandbox
):
    number = person.make("basic", "by hand", tags=[TAG])
    made = plan(client, manifest_of(*tenants(1)), connections, prune=True)
    assert kinds(made) == [("create", "tenant-1")]
    assert (made.left, made.managed) == (1, 0)
    assert "instance_id and state: absent" in made.notes[0].text
    rows = [*tenants(1), {"instance_id": number, "state": "absent"}]
    made, report = both(client, manifest_of(*rows), connections, prune=True)
    assert kinds(made) == [("create", "tenant-1"), ("delete", f"instance {number}")]
    assert report.ok, report.markdown()
    assert [each["name"] for each in sandbox.instances()] == ["Tenant 1"]


def test_an_instance_of_the_create_operator_gets_its_namespace_with_one_plan(client, connections, sandbox):
    spec = InstanceSpec("closeio", "Tenant 1", "tenant-1", connection().configuration, tags=(TAG,))
    ensure(client.instances, spec, with_token=False)
    manifest = manifest_of(*tenants(1), events_enabled=False)
    made, report = both(client, manifest, connections)
    assert [each.name for each in made.changes[0].fields] == ["own tags"]
    assert report.ok, report.markdown()
    assert plan(client, manifest, connections).clean
    assert len(plan(client, manifest_of(), connections, prune=True).changes) == 1


def test_an_approved_delete_is_stale_if_another_namespace_took_the_instance_over(
    client, connections, sandbox, person
):
    applied(client, manifest_of(*tenants(1), events_enabled=False), connections)
    made = plan(client, manifest_of(), connections, prune=True)
    (instance,) = sandbox.instances()
    person.edit(instance["id"], tags=[*instance["tags"], namespace_tag("other")])
    report = apply(client, made, made.checksum, connections, force=["deletes"])
    assert [str(each.status) for each in report.results] == ["stale"]
    assert len(sandbox.instances()) == 1


def test_twins_of_a_protected_row_stay(client, connections, person, sandbox):
    applied(client, manifest_of(*tenants(1), events_enabled=False), connections)
    (instance,) = sandbox.instances()
    twin = person.make("basic", "Tenant 1", tags=instance["tags"])
    assert (
        len(plan(client, manifest_of(*tenants(1), events_enabled=False), connections, prune=True).changes)
        == 1
    )
    manifest = manifest_of({**tenants(1)[0], "protect": True}, events_enabled=False)
    made = plan(client, manifest, connections, prune=True)
    assert made.empty
    assert f"twins, which are left as they are: {twin}" in made.notes[0].text


def test_what_is_left_alone_on_purpose_is_not_counted_as_unchanged(client, connections, three):
    connections["pipe"] = PIPE
    row = {**tenants(1)[0], "element_conn_id": "pipe", "events_enabled": False, "protect": True}
    made = plan(client, manifest_of(row, *tenants(2, 2)), connections)
    assert (made.empty, made.clean, made.unchanged, made.left) == (True, False, 2, 1)
    assert made.all_counts == {"unchanged": 2, "left": 1}
    assert "2 unchanged, 1 left alone." in made.table()
    assert Plan.from_json(made.to_json()) == made


# -- keys that people take for each other ----------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "Tenant-1",
        "t\u0435nant-1",
        "tenant\u20111",
        "tenant-\uff11",
        "tena\u200bnt-1",
        "tenant\u20131",
        "t\u034fenant-1",
        "tenant\u3164-1",
    ],
    ids=["case", "cyrillic", "hyphen", "width", "nothing", "dash", "joiner", "filler"],
)
def test_a_key_that_looks_like_another_is_noted(client, connections, key):
    made = plan(client, manifest_of(*tenants(2), {"key": key, "name": "Other"}), connections)
    assert len(made.changes) == 3
    (note,) = made.notes
    assert f"its key {key!a} looks like 'tenant-1' of the manifest, row 1" in note.text


def test_keys_that_differ_for_people_too_are_not_noted(client, connections):
    keys = [
        "M\u00fcller",
        "Muller",
        "tenant-1",
        "tenant-10",
        "\u043f\u0435\u0442\u044f",
        "\u5f20",
        "\u7ae0",
        "\u0444",
    ]
    rows = [{"key": key, "name": f"Name {number}"} for number, key in enumerate(keys)]
    assert plan(client, manifest_of(*rows), connections).notes == ()


def test_rows_of_one_key_are_named_by_their_numbers(client, connections):
    with pytest.raises(CloudElementsManifestError) as caught:
        plan(client, manifest_of(*tenants(2), *tenants(1)), connections)
    assert "the manifest, row 3: tenant-1, key: another row has the same key (the manifest, row 1)." in str(
        caught.value
    )


# -- plans that people or other versions wrote ------------------------------------------------------


def everything_in(value, path=()):
    """Yield the path of each value in a JSON document."""
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        yield from everything_in(each, (*path, key))


def test_a_plan_edited_by_hand_with_a_new_checksum_raises_our_errors_alone(client, connections, three):
    """Each value in turn becomes one of another type. Whoever forges a checksum gets a sentence, too."""
    rows = [
        {**each, "tags": ["gold"], "configuration": {"event.poller.refresh_interval": "30"}}
        for each in tenants(2)
    ]
    made = plan(client, manifest_of(*rows, {"key": "new", "name": "New"}), connections, prune=True).to_json()
    told = 0
    for path in everything_in(made):
        for value in (None, 7, "x", [1], {"a": 1}):
            forged = json.loads(json.dumps(made))
            place = forged
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            text = {name: each for name, each in forged.items() if name not in NOT_IN_CHECKSUM}
            form = json.dumps(text, sort_keys=True, separators=(",", ":"))
            forged["checksum"] = hashlib.sha256(form.encode()).hexdigest()
            try:
                read = Plan.from_json(forged)
                assert read.table()
                assert read.markdown()
                apply(client, read, read.checksum, connections, force=["tenant-3"], max_changes=0)
            except CloudElementsError:
                told += 1
    assert told > 300


NOT_IN_CHECKSUM = ("unchanged", "left", "listed", "managed", "counts", "checksum")


def test_a_row_of_another_version_is_refused_with_its_place(client, connections, sandbox):
    made = plan(client, manifest_of(*tenants(2)), connections)
    first, second = made.changes
    odd = replace(made, changes=(first, replace(second, row={**second.row, "colour": "red", "state": 7})))
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsManifestError) as caught:
        apply(client, odd, odd.checksum, connections)
    assert [str(each).partition(": ")[0] for each in caught.value.problems] == ["the plan, row 2"] * 2
    assert wire.calls() == []
