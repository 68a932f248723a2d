"""CloudElementsDeleteInstanceOperator: by id, by key, by tag and age, and what it refuses."""

from __future__ import annotations

import datetime
import json
import pickle

import pytest
import time_machine

from airflow_provider_cloudelements.client.parsing import instance_id_of
from airflow_provider_cloudelements.client.tags import Identity, marker_tag
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import CloudElementsServerError, CloudElementsValidationError
from airflow_provider_cloudelements.operators.instances import CloudElementsDeleteInstanceOperator
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.context import context_of
from tests.support.platform import Person, Wire

HOUR = datetime.timedelta(hours=1)


def delete(**arguments):
    return CloudElementsDeleteInstanceOperator(task_id="delete", **arguments).execute(context_of())


def ids(sandbox):
    return [each["id"] for each in sandbox.instances()]


def later(**passed):
    """Let time pass: what the sandbox has made so far is older then."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(**passed)
    return time_machine.travel(moment, tick=True)


# -- by id ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [lambda i: i, str, lambda i: f" {i} ", lambda i: {"id": i, "name": "x"}, lambda i: {"id": str(i)}],
    ids=["integer", "digits", "digits with spaces", "what create returned", "with digits in it"],
)
def test_by_id_in_every_form(form, sandbox, person):
    keep, gone = person.make("basic"), person.make("basic")
    assert delete(instance_id=form(gone)) == {"deleted": [gone], "missing": [], "dry_run": False}
    assert ids(sandbox) == [keep]


def test_one_that_is_gone_is_a_success(sandbox, person):
    gone = person.make("basic")
    person.delete(gone)
    assert delete(instance_id=gone) == {"deleted": [], "missing": [gone], "dry_run": False}


def test_a_gateways_404_is_no_success(sandbox, person):
    there = person.make("basic")
    sandbox.add_fault("html", status=404, method="DELETE", count=None)
    with pytest.raises(CloudElementsServerError, match="not the platform's own") as caught:
        delete(instance_id=there)
    assert caught.value.retryable
    assert ids(sandbox) == [there]


@pytest.mark.parametrize("way", ["instance_key", "tag"])
@pytest.mark.parametrize("page", [0, 1])
def test_a_look_up_that_was_not_whole_deletes_nothing(page, way, sandbox, person):
    marker = marker_tag("closeio/A")
    there = [person.make("basic", tags=[marker, "shop"]) for _ in range(2)]
    sandbox.configure(max_page_size=1)
    fault = {"action": "html", "count": None} if page == 0 else {"action": "status"}
    sandbox.add_fault(**fault, status=404, method="GET", path="/instances", skip=page)
    named = (
        {"instance_key": "closeio/A"} if way == "instance_key" else {"tag": "shop", "older_than": 0 * HOUR}
    )
    with later(hours=1), pytest.raises(CloudElementsServerError) as caught:
        delete(**named)
    assert caught.value.retryable
    assert ids(sandbox) == there


def test_a_lost_answer_to_a_delete_is_a_success(sandbox, person):
    gone = person.make("basic")
    sandbox.add_fault("drop", when="after", method="DELETE")
    assert delete(instance_id=gone)["deleted"] == [gone]
    assert ids(sandbox) == []


def test_an_error_is_none(sandbox, person):
    there = person.make("basic")
    sandbox.add_fault("status", status=500, method="DELETE", count=None)
    with pytest.raises(CloudElementsServerError):
        delete(instance_id=there)
    assert ids(sandbox) == [there]


@pytest.mark.parametrize("status", [403, 409])
def test_one_that_cannot_be_deleted_keeps_no_other_one(status, sandbox, person):
    made = [person.make("basic", tags=["shop"]) for _ in range(4)]
    sandbox.add_fault("status", status=status, method="DELETE", path=f"/instances/{made[1]}", count=None)
    with later(hours=1), pytest.raises(AirflowFailException) as caught:
        delete(tag="shop", older_than=0 * HOUR)
    assert ids(sandbox) == [made[1]]
    # A callback gets this exception, and not its cause.
    error = caught.value
    deleted = (made[0], made[2], made[3])
    assert (error.instance_id, error.deleted, error.not_deleted) == (made[1], deleted, (made[1],))
    assert f"Deleted: {made[0]}, {made[2]}, {made[3]}. Not deleted: {made[1]}." in str(error)


def test_a_passing_failure_ends_it_and_says_how_far_it_came(sandbox, person):
    made = [person.make("basic", tags=["shop"]) for _ in range(4)]
    sandbox.add_fault("status", status=500, method="DELETE", path=f"/instances/{made[2]}", count=None)
    person.delete(made[0])
    with later(hours=1), pytest.raises(CloudElementsServerError) as caught:
        delete(tag="shop", older_than=0 * HOUR)
    assert ids(sandbox) == made[2:]
    error = caught.value
    assert (error.instance_id, error.deleted, error.not_deleted) == (made[2], (made[1],), tuple(made[2:]))
    assert "password" not in str(error)
    assert pickle.loads(pickle.dumps(error)).not_deleted == tuple(made[2:])  # noqa: S301


@pytest.mark.parametrize("named", [{"instance_key": "A"}, {"tag": "shop", "older_than": 0 * HOUR}], ids=repr)
def test_one_whose_row_cannot_be_read_is_left_and_named(named, sandbox, person, task_log, monkeypatch):
    tags = ["shop", *Identity("", "A").tags]
    gone, twin, nameless = (person.make("basic", tags=tags) for _ in range(3))
    items = HttpSession.list_items

    def damaged(self, path, **options):
        for row in items(self, path, **options):
            if row["id"] == twin:
                row["tags"] = 5
            elif row["id"] == nameless:
                row["id"] = None
            yield row

    monkeypatch.setattr(HttpSession, "list_items", damaged)
    with later(hours=1):
        done = delete(**named)
    assert done["deleted"] == [gone]
    assert done["left"] == {"unreadable": [twin, None]}
    assert ids(sandbox) == [twin, nameless]
    assert f"[{twin}, None] may be meant" in task_log.text


@pytest.mark.parametrize(
    "value", [0, -1, True, 1.0, "", "None", "abc", "1.0", "-5", "0", "²", {}, {"id": None}, {"id": True}, [1]]
)
def test_what_is_no_id_is_refused(value):
    with pytest.raises(CloudElementsValidationError, match="instance_id must be"):
        instance_id_of(value)


@pytest.mark.parametrize("value", ["None", "{'id': 5}", {"name": "x"}])
def test_what_is_no_id_fails_for_good_without_a_call(value, sandbox):
    with pytest.raises(AirflowFailException, match="instance_id must be"):
        delete(instance_id=value)
    assert sandbox.requests() == []


# -- by key ---------------------------------------------------------------------------------------


def test_by_key_all_of_the_key_and_no_other(sandbox, person):
    first = person.make("basic", tags=[marker_tag("closeio/An instance")])
    twin = person.make("basic", tags=["x", marker_tag("closeio/An instance")])
    other = person.make("basic", tags=[marker_tag("closeio/Another"), "closeio/An instance"])
    assert delete(instance_key="closeio/An instance")["deleted"] == [first, twin]
    assert ids(sandbox) == [other]
    assert delete(instance_key="closeio/An instance") == {"deleted": [], "missing": [], "dry_run": False}


def test_by_key_with_the_namespace_of_the_connection(sandbox, person, monkeypatch):
    bare, ours = (person.make("basic", tags=[marker_tag(key)]) for key in ("a key", "team/a key"))
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(sandbox.connection(namespace="team")))
    assert delete(instance_key="a key")["deleted"] == [ours]
    assert ids(sandbox) == [bare]


def test_by_key_as_a_dry_run(sandbox, person, task_log):
    there = person.make("basic", tags=[marker_tag("a key")])
    wire = Wire(sandbox)
    assert delete(instance_key="a key", dry_run=True) == {"deleted": [there], "missing": [], "dry_run": True}
    assert wire.writes() == []
    assert f"Would delete instance {there}" in task_log.text


@pytest.mark.parametrize("form", ["{}", " {}", "{}\n", "\t{}\u00a0"])
def test_by_key_white_space_around_it_does_not_count(form, sandbox, person):
    there = person.make("basic", tags=[*Identity("", "a key").tags])
    assert delete(instance_key=form.format("a key"))["deleted"] == [there]


def test_by_key_in_another_unicode_form(sandbox, person):
    there = person.make("basic", tags=[*Identity("", "Caf\u00e9").tags])
    assert delete(instance_key="Cafe\u0301")["deleted"] == [there]


def test_by_key_what_shares_the_marker_stays_and_is_reported(sandbox, person, task_log):
    other = person.make("basic", tags=[*Identity("team", "a").tags])
    own = person.make("basic", tags=[*Identity("", "team/a").tags])
    unsigned = person.make("basic", tags=[marker_tag("team/a")])
    assert delete(instance_key="team/a") == {
        "deleted": [own, unsigned],
        "missing": [],
        "left": {"another key": [other]},
        "dry_run": False,
    }
    assert ids(sandbox) == [other]
    assert f"[{other}] have this key's marker, and are of another namespace or key" in task_log.text


def test_by_key_one_that_was_made_when_keys_were_taken_letter_by_letter(sandbox, person):
    there = person.make("basic", tags=[marker_tag("acme\n")])
    twin = person.make("basic", tags=[*Identity("", "acme").tags])
    assert delete(instance_key="acme\n")["deleted"] == [there, twin]


def test_by_key_that_nothing_has_is_said(sandbox, task_log):
    assert delete(instance_key="a typo") == {"deleted": [], "missing": [], "dry_run": False}
    assert "No instance has instance key 'a typo': there is nothing to delete." in task_log.text


WRONG = [
    {"id": 5, "instance_key": "a key"},
    ["a key"],
    "   ",
    "None",
    " None ",
    1.10,
    2024,
    True,
    b"a key",
    ...,
]


@pytest.mark.parametrize("way", ["instance_key", "tag"])
@pytest.mark.parametrize(
    "value", WRONG, ids=[f"{type(each).__name__} {number}" for number, each in enumerate(WRONG)]
)
def test_a_key_or_tag_that_names_nothing_fails_for_good_without_a_call(way, value, sandbox, person):
    for text in ("1.1", "2024", "None", "a key", "True"):
        person.make("basic", tags=[text, marker_tag(text)])
    wire = Wire(sandbox)
    age = {"older_than": datetime.timedelta(0)} if way == "tag" else {}
    with pytest.raises(AirflowFailException, match=f"{way} must be a text"):
        delete(**{way: value}, **age)
    assert wire.calls() == []


# -- by tag and age -------------------------------------------------------------------------------


def test_by_tag_only_the_old_ones_with_the_tag(sandbox, person):
    old = [person.make("basic", tags=["nightly"]) for _ in range(2)]
    other = person.make("basic", tags=["nightly-not"])
    assert delete(tag="nightly", older_than=HOUR)["deleted"] == []
    with later(hours=2):
        young = delete(tag="nightly", older_than=3 * HOUR)
        assert (young["deleted"], young["left"]) == ([], {"too young": old})
        assert delete(tag="nightly", older_than=HOUR)["deleted"] == old
    assert ids(sandbox) == [other]


@pytest.mark.parametrize("hours", [-1, 1])
def test_by_tag_ages_go_by_the_platforms_clock(hours, monkeypatch):
    """Run the sandbox in a process of its own, so that only the clock of this process is changed."""
    with Sandbox(process=True) as apart:
        monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(apart.connection()))
        made = Person(apart).make("basic", tags=["nightly"])
        with later(hours=hours):
            young = delete(tag="nightly", older_than=HOUR / 2)
            assert (young["deleted"], young["left"]) == ([], {"too young": [made]})
            assert delete(tag="nightly", older_than=datetime.timedelta(0))["deleted"] == [made]


def test_by_tag_as_a_dry_run_deletes_nothing(sandbox, person):
    old = person.make("basic", tags=["nightly"])
    with later(hours=2):
        told = delete(tag="nightly", older_than=HOUR, dry_run=True)
    assert told == {"deleted": [old], "missing": [], "dry_run": True}
    assert ids(sandbox) == [old]


def test_more_than_may_be_deleted_are_all_kept(sandbox, person):
    made = [person.make("basic", tags=["nightly"]) for _ in range(3)]
    with later(hours=2):
        with pytest.raises(AirflowFailException, match=r"3 instances .* max_deletes=2. None was deleted"):
            delete(tag="nightly", older_than=HOUR, max_deletes=2)
        assert ids(sandbox) == made
        assert delete(tag="nightly", older_than=HOUR, max_deletes=3)["deleted"] == made


def test_the_default_limit_is_fifty(sandbox, person):
    for _ in range(51):
        person.make("basic", tags=["nightly"])
    with later(hours=2), pytest.raises(AirflowFailException, match=r"51 instances .* max_deletes=50"):
        delete(tag="nightly", older_than=HOUR)


def test_one_without_a_date_is_kept_and_told(sandbox, person, task_log, monkeypatch):
    from dataclasses import replace

    from airflow_provider_cloudelements.client.instances import InstancesApi

    undated, old = (person.make("basic", tags=["nightly"]) for _ in range(2))
    listed = InstancesApi.list

    def without_a_date(self, **query):
        for each in listed(self, **query):
            yield replace(each, created_date=None) if each.id == undated else each

    monkeypatch.setattr(InstancesApi, "list", without_a_date)
    with later(hours=2):
        assert delete(tag="nightly", older_than=HOUR) == {
            "deleted": [old],
            "missing": [],
            "left": {"no date": [undated]},
            "dry_run": False,
        }
    assert ids(sandbox) == [undated]
    assert f"no date of [{undated}]" in task_log.text


# -- wrong combinations ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "given are: none"),
        ({"instance_id": None, "instance_key": "", "tag": None}, "given are: none"),
        ({"instance_id": 1, "instance_key": "k"}, "given are: instance_id, instance_key"),
        ({"instance_key": "k", "tag": "t"}, "given are: instance_key, tag"),
        ({"instance_id": 1, "instance_key": "k", "tag": "t"}, "given are: instance_id, instance_key, tag"),
        ({"tag": "t"}, "older_than is missing"),
        ({"instance_id": 1, "older_than": HOUR}, "older_than goes with tag"),
        ({"instance_key": "k", "older_than": HOUR}, "older_than goes with tag"),
    ],
)
def test_wrong_combinations_fail_for_good_and_delete_nothing(arguments, message, sandbox, person):
    person.make("basic", tags=["t", marker_tag("k")])
    with pytest.raises(AirflowFailException, match=message):
        delete(**arguments)
    assert len(sandbox.instances()) == 1


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"older_than": 3600}, TypeError),
        ({"older_than": "1d"}, TypeError),
        ({"older_than": -HOUR}, ValueError),
        ({"max_deletes": 0}, ValueError),
        ({"max_deletes": True}, ValueError),
        ({"max_deletes": "50"}, ValueError),
        ({"dry_run": "False"}, TypeError),
    ],
)
def test_switches_are_checked_when_the_dag_is_parsed(arguments, kind):
    with pytest.raises(kind, match=next(iter(arguments))):
        CloudElementsDeleteInstanceOperator(task_id="delete", tag="t", **arguments)


def test_airflows_own_dry_run_still_works():
    assert callable(
        CloudElementsDeleteInstanceOperator(task_id="delete", instance_id=1, dry_run=True).dry_run
    )
