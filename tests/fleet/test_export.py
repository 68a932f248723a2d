"""An account's instances as a manifest: without secrets, and nothing to change."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.fleet import export, plan, read_manifest_text
from tests.support.fleet import PASSWORD, both, kinds, manifest_of, tenants
from tests.support.platform import WAYS, Wire

SECRETS = ("first-password", "app-secret-1", "refresh-token-1", PASSWORD, "pipe-token", "query-secret")


def planned(client, connections, text, **more):
    return plan(client, read_manifest_text(text).check(), connections, **more)


def test_a_console_full_of_instances(client, connections, person, sandbox):
    ids = [person.make(way, f"By hand {way}") for way in WAYS]
    person.make("basic", "By hand basic")  # names are not unique
    person.disable(ids[0])
    person.edit(ids[1], tags=["gold", "no", "0123"])
    url = "https://hooks.example.com/?token=query-secret"
    person.edit(
        ids[2], configuration={"event.notification.enabled": True, "event.notification.callback.url": url}
    )
    both(client, manifest_of(*tenants(2)), connections)
    before = [person.show(each["id"]) for each in sandbox.instances()]
    wire = Wire(sandbox)
    found = export(client)
    assert wire.calls() == ["GET /instances"]
    assert found.instances == 6
    assert found.left_out == ()
    assert not [each for each in SECRETS if each in found.text]
    assert not [each["token"] for each in before if each["token"] in found.text]
    assert "element_conn_id: closeio_login" in found.text
    made = planned(client, connections, found.text)
    assert made.empty
    assert made.unchanged == 6
    assert [person.show(each["id"]) for each in sandbox.instances()] == before


def test_one_edited_line_is_one_change(client, connections, person, sandbox):
    number = person.make("basic", "Mine")
    person.make("basic", "Other")
    text = export(client).text.replace(
        "events_enabled: false", "events_enabled: true\n    event_callback_url: null", 1
    )
    made, report = both(client, read_manifest_text(text), connections)
    assert kinds(made) == [("update", "closeio/Mine")]
    assert report.ok, report.markdown()
    assert person.show(number)["eventsEnabled"] is True
    assert planned(client, connections, text).empty
    person.edit(number, configuration={"event.notification.enabled": False})  # drift
    assert kinds(planned(client, connections, text)) == [("update", "closeio/Mine")]


def test_an_ownership_tag_takes_them_over(client, connections, person, sandbox):
    person.make("basic", "Mine")
    text = export(client).text.replace(
        "# ownership_tag: managed-by-airflow", "ownership_tag: managed-by-airflow"
    )
    made, report = both(client, read_manifest_text(text), connections)
    assert kinds(made) == [("adopt", "closeio/Mine")]
    assert report.ok, report.markdown()
    assert planned(client, connections, text).empty
    # It has its key now: the row no longer needs the id.
    rows = yaml.safe_load(text)
    del rows["instances"][0]["instance_id"]
    assert planned(client, connections, yaml.safe_dump(rows)).empty


def test_only_some(client, person):
    person.make("basic", "A", tags=["mine"])
    person.make("refresh", "B")
    assert export(client, element="closeio").instances == 1
    assert export(client, tag="mine").instances == 1
    assert export(client, tag="nobodys").text.endswith("instances: []\n")


@pytest.mark.parametrize("value", [" ", "None", 5, ["mine"]])
@pytest.mark.parametrize("argument", ["tag", "element"])
def test_an_export_of_what_names_nothing_is_refused(argument, value, client, person):
    wire = Wire(person.sandbox)
    with pytest.raises(CloudElementsValidationError, match=f"^{argument} must be a text"):
        export(client, **{argument: value})
    assert wire.calls() == []


def test_the_ends_of_an_element_are_no_part_of_it(client, person):
    person.make("basic", "A")
    assert export(client, element=" closeio ").instances == 1


def test_an_empty_account(client, connections):
    assert planned(client, connections, export(client).text).empty


def test_keys_that_are_not_the_default_stay(client, connections, sandbox, person):
    both(client, manifest_of(*tenants(2)), connections)
    text = export(client).text.replace("Tenant 1", "Renamed")
    made, report = both(client, read_manifest_text(text), connections)
    assert report.ok, report.markdown()
    assert [str(each.kind) for each in made.changes] == ["update"]
    rows = [{"key": "tenant-1", "name": "Renamed", "tags": ["Renamed"]}, *tenants(1, 2)]
    assert plan(client, manifest_of(*rows), connections).empty  # still tenant-1


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00<>&"), min_size=1, max_size=12).filter(
    lambda name: name.strip() not in ("", "None")
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, tags=st.lists(NAMES, max_size=3))
def test_any_name_and_tag(name, tags, client, connections, person, sandbox):
    sandbox.reset()
    person.make("basic", name, tags=tags)
    found = export(client)
    assert planned(client, connections, found.text).empty
    if found.left_out:
        pytest.fail(str(found.left_out))
