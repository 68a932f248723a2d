"""Who an instance is, over real HTTP: pairs, canonical forms, and markers of earlier versions."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.client.tags import Identity, marker_tag, user_tags
from airflow_provider_cloudelements.exceptions import CloudElementsConflictError, CloudElementsValidationError
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.provisioning.change import Change, reauthenticate, update
from airflow_provider_cloudelements.provisioning.ensure import ensure as ensure_spec
from airflow_provider_cloudelements.provisioning.memory import CallMemory
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec
from tests.support.context import context_of
from tests.support.platform import WAYS, Wire, configured, known_to_airflow, settings_of, spec_of


@pytest.fixture
def client(sandbox):
    with CloudElementsClient(settings_of(sandbox)) as client:
        yield client


@pytest.fixture
def ensure(client):
    return lambda spec, **options: ensure_spec(client.instances, spec, settle_time=0, **options)


def named(sandbox, key, namespace="", **changes):
    return spec_of("basic", sandbox, key=key, namespace=namespace, **changes)


def tags_of(person, number):
    return person.show(number)["tags"]


# -- pairs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pairs",
    [
        [("", "team/a"), ("team", "a")],
        [("team", "a/b"), ("team/a", "b"), ("", "team/a/b")],
        [("/", "a"), ("", "/a"), ("", "//a")],
    ],
)
def test_no_two_pairs_are_one_and_each_finds_its_own(pairs, sandbox, ensure):
    made = [ensure(named(sandbox, key, namespace)) for namespace, key in pairs]
    assert all(each.created and not each.twins for each in made)
    again = [ensure(named(sandbox, key, namespace)) for namespace, key in reversed(pairs)]
    assert [each.instance.id for each in reversed(again)] == [each.instance.id for each in made]
    assert not any(each.created or each.changed or each.twins for each in again)


WRITTEN = [" acme", "acme\n", "\t acme \u00a0", "\ufeffacme", "acme\u200b", "\u200e acme\u2060\r\n"]


@pytest.mark.parametrize("written", WRITTEN)
def test_white_space_makes_no_other_instance(written, sandbox, ensure):
    first = ensure(named(sandbox, "acme", "prod"))
    wire = Wire(sandbox)
    assert ensure(named(sandbox, written, "prod")).instance.id == first.instance.id
    assert ensure(named(sandbox, "acme", written.replace("acme", "prod"))).instance.id == first.instance.id
    assert wire.writes() == []


@pytest.mark.parametrize("written", WRITTEN)
def test_white_space_of_a_name_and_of_an_element_makes_no_other_instance(written, sandbox, monkeypatch):
    """The default key holds both."""
    known_to_airflow(sandbox, monkeypatch)
    made = [
        CloudElementsCreateInstanceOperator(
            task_id="make",
            element=written.replace("acme", "closeio"),
            instance_name=name,
            configuration=WAYS["basic"][1],
            events_enabled=False,
        ).execute(context_of())
        for name in ("acme", written)
    ]
    assert [each["created"] for each in made] == [True, False]
    assert made[0]["id"] == made[1]["id"]


def test_unicode_forms_make_no_other_instance_though_key_and_name_differ_in_them(sandbox, ensure):
    first, second = (
        ensure(named(sandbox, f"closeio/{name}", name=name))
        for name in (unicodedata.normalize(form, "Café ñ") for form in ("NFC", "NFD"))
    )
    assert (second.instance.id, second.changed) == (first.instance.id, ())


@pytest.mark.parametrize("key", ["", " ", "None", 5, None, ["a"]], ids=repr)
def test_a_key_that_names_nothing_makes_no_specification(key):
    with pytest.raises(CloudElementsValidationError, match="key must be a text"):
        InstanceSpec(element="closeio", name="An instance", key=key)


def test_a_tag_of_another_identity_makes_no_specification():
    other = Identity("", "another key")
    for tag in (*other.tags, "airflow-auth:0123abcd.0123456789012345678901", "airflow-run:" + "0" * 20):
        with pytest.raises(CloudElementsValidationError, match="tags holds a tag by which"):
            InstanceSpec(element="closeio", name="An instance", key="a key", tags=("shop", tag))


# -- markers of earlier versions -------------------------------------------------------------------


@pytest.mark.parametrize("namespace", ["", "team"])
def test_one_with_a_marker_alone_is_found_and_gets_the_key_tag_with_the_next_write(
    namespace, sandbox, person, ensure
):
    spec = named(sandbox, "a key", namespace)
    before = ensure(spec)
    marker = marker_tag(f"{namespace}/a key" if namespace else "a key")
    earlier = [tag for tag in tags_of(person, before.instance.id) if not tag.startswith("airflow-key:")]
    assert marker in earlier
    person.edit(before.instance.id, tags=earlier)
    wire = Wire(sandbox)
    found = ensure(spec)
    assert (found.instance.id, found.created, found.changed) == (before.instance.id, False, ())
    assert wire.writes() == []
    changed = ensure(configured(spec, username="grace"))
    assert changed.instance.id == before.instance.id
    assert set(changed.changed) == {"username", "tags"}
    assert sorted(tags_of(person, before.instance.id)) == sorted([*earlier, spec.identity.key_tag])
    wire = Wire(sandbox)
    ensure(configured(spec, username="grace"))
    assert wire.writes() == []


def test_one_with_a_marker_alone_that_two_pairs_share_belongs_to_the_one_that_writes_first(
    sandbox, person, ensure
):
    there = person.make("basic", tags=["gold", marker_tag("team/a")])
    ours, other = named(sandbox, "a", "team"), named(sandbox, "team/a")
    assert ensure(configured(ours, username="grace")).instance.id == there
    made = ensure(other)
    assert made.created
    assert made.twins == ()
    assert ensure(ours, delete_twins=True).twins == ()
    assert len(sandbox.instances()) == 2


def test_two_keys_on_one_instance_neither_make_another_nor_write_again_and_again(sandbox, person, ensure):
    """The case of a renamed key whose old marker stayed: two DAGs, one instance."""
    there = person.make("basic", tags=["gold", marker_tag("a"), marker_tag("b")])
    specs = [configured(named(sandbox, key), password="first-password") for key in "ab"]
    for spec in specs:
        ensure(spec)
    wire = Wire(sandbox)
    assert {ensure(spec).instance.id for spec in [*specs, *specs]} == {there}
    assert wire.writes() == []
    assert len(sandbox.instances()) == 1


@pytest.mark.parametrize("if_exists", ["update", "reuse"])
def test_one_of_a_key_that_was_taken_letter_by_letter_is_found_and_gets_the_canonical_tags(
    if_exists, sandbox, person, ensure
):
    there = person.make("basic", tags=["gold", marker_tag("prod /acme\n")])
    spec = named(sandbox, "acme\n", "prod ")
    assert ensure(spec, if_exists=if_exists).instance.id == there
    tags = tags_of(person, there)
    assert user_tags(tags) == ("gold",)
    assert {*Identity("prod", "acme").tags} <= {*tags}
    assert marker_tag("prod /acme\n") not in tags
    # Now the canonical key finds it, too.
    wire = Wire(sandbox)
    assert ensure(named(sandbox, "acme", "prod"), if_exists=if_exists).instance.id == there
    assert wire.writes() == []


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_twins_with_both_forms_of_marker_are_twins(order, sandbox, person, ensure):
    sandbox.configure(order=order)
    oldest = person.make("basic", tags=[marker_tag("team/acme\n")])
    middle = person.make("basic", tags=[marker_tag("team/acme")])
    newest = person.make("basic", tags=[*Identity("", "team/acme").tags])
    stranger = person.make("basic", tags=[*Identity("team", "acme").tags])
    spec = named(sandbox, "team/acme\n")
    ensured = ensure(spec)
    assert (ensured.instance.id, ensured.twins) == (oldest, (middle, newest))
    ensure(spec, delete_twins=True)
    assert [each["id"] for each in sandbox.instances()] == [oldest, stranger]


def test_a_lookup_of_a_canonical_key_is_one_call(sandbox, ensure):
    spec = named(sandbox, "a key", "team")
    wire = Wire(sandbox)
    ensure(spec)
    assert [call for call in wire.calls() if call == "GET /instances"] == ["GET /instances"] * 2
    wire = Wire(sandbox)
    ensure(spec)
    assert [call for call in wire.calls() if call == "GET /instances"] == ["GET /instances"]


def test_one_that_is_remembered_and_has_become_another_keys_is_left_to_it(sandbox, person, ensure):
    spec, memory = named(sandbox, "a", "team"), CallMemory()
    made = ensure(spec, memory=memory)
    person.edit(made.instance.id, tags=[*Identity("", "team/a").tags])
    again = ensure(spec, memory=memory)
    assert again.created
    assert again.instance.id != made.instance.id


def test_another_name_under_the_same_key_is_a_conflict_still(sandbox, ensure):
    spec = named(sandbox, "a key")
    ensure(spec)
    with pytest.raises(CloudElementsConflictError, match="has the instance key 'a key', but its name"):
        ensure(replace(spec, name="Another"))


# -- other writers ---------------------------------------------------------------------------------


def test_an_update_by_key_adds_the_key_tag_and_one_that_writes_nothing_does_not(sandbox, person, client):
    identity = Identity("", "a key")
    there = person.make("basic", tags=["gold", identity.marker])
    found = client.instances.get(there)
    assert update(client.instances, found, Change(name="An instance"), identity=identity).changed == ()
    done = update(client.instances, found, Change(configuration={"username": "grace"}), identity=identity)
    assert done.changed == ("username", "tags")
    assert tags_of(person, there) == ["gold", *identity.tags]
    update(client.instances, done.instance, Change(tags=("silver",)))
    assert tags_of(person, there) == ["silver", *identity.tags]


def test_a_reauthentication_by_key_adds_the_key_tag(sandbox, person, client):
    identity = Identity("", "acme\n")
    there = person.make("basic", tags=["gold", *identity.former_markers])
    reauthenticate(
        client.instances,
        client.instances.get(there),
        configuration={"password": "second-password"},
        identity=identity,
    )
    tags = tags_of(person, there)
    assert user_tags(tags) == ("gold",)
    assert {*identity.tags} <= {*tags}
    assert not {*identity.former_markers} & {*tags}
