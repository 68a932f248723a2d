"""The operators of fleets: a plan in parts, its XComs, apply, and what neither of them shows."""

from __future__ import annotations

import json
import logging
import re
from functools import partial
from urllib.parse import quote

import pytest
from jinja2.nativetypes import NativeEnvironment

from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import (
    CloudElementsApplyError,
    CloudElementsDriftError,
    CloudElementsManifestError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.fleet import report
from airflow_provider_cloudelements.operators.fleet import (
    CloudElementsApplyInstancesOperator,
    CloudElementsPlanInstancesOperator,
)
from tests.support.context import FakeTi, context_of
from tests.support.reading import tupled

TAG = "managed-by-airflow"
SECRET = "fleet-password-1/+="


@pytest.fixture
def app(element_connection) -> str:
    """Make an element connection of Close known to Airflow, and return its id."""
    return element_connection(
        "closeio_app",
        login="ada",
        password=SECRET,
        extra={
            "element": "closeio",
            "authentication": "basic",
            "event_callback_url": "http://127.0.0.1:9/hook",
        },
    )


def manifest(count=3, app="closeio_app", **more):
    rows = [{"key": f"tenant-{n}", "name": f"Tenant {n}", "element_conn_id": app} for n in range(count)]
    return {"ownership_tag": TAG, "instances": rows, **more}


class Done:
    """What an operator returned and pushed."""

    def __init__(self, operator):
        self.ti = FakeTi()
        self.value = operator.execute(context_of(self.ti))
        self.xcoms = self.ti.xcoms


def planned(source, **arguments) -> Done:
    return Done(CloudElementsPlanInstancesOperator(task_id="plan", manifest=source, **arguments))


def applied(plan, **arguments) -> Done:
    return Done(CloudElementsApplyInstancesOperator(task_id="apply", plan=plan, **arguments))


def names(sandbox):
    return sorted(each["name"] for each in sandbox.instances())


# -- plan and apply -------------------------------------------------------------------------------


def test_a_plan_in_parts_is_applied_and_then_nothing_is_left(app, sandbox, wire):
    done = planned(manifest(5), chunk_size=2)
    assert [len(part["changes"]) for part in done.value] == [2, 2, 1]
    assert {part["whole"] for part in done.value} == {done.xcoms["checksum"]}
    assert done.xcoms["counts"] == {"create": 5, "unchanged": 0}
    assert (done.xcoms["deletes"], done.xcoms["unsafe"]) == (0, [])
    assert "tenant-4" in done.xcoms["markdown"]
    for part in done.value:
        told = applied(part, checksum=done.xcoms["checksum"]).value
        assert told["ok"]
        assert told["counts"]["done"] == len(part["changes"])
        assert told["results"] == []
        assert told["left_out"] == len(part["changes"])
    assert names(sandbox) == [f"Tenant {n}" for n in range(5)]
    assert [call for call in wire.writes() if call.startswith("POST")] == ["POST /instances"] * 5
    again = planned(manifest(5))
    assert again.value == []
    assert again.xcoms["counts"] == {"unchanged": 5}


def test_one_task_applies_all_parts_and_a_second_time_writes_nothing(app, sandbox, wire):
    parts = planned(manifest(5), chunk_size=2).value
    assert applied(parts, report="all").value["counts"]["done"] == 5
    before = len(wire.writes())
    again = applied(json.loads(json.dumps(parts)), report="all").value
    assert [each["status"] for each in again["results"]] == ["already"] * 5
    assert len(wire.writes()) == before


def test_rows_of_an_upstream_task_need_no_file(app, sandbox):
    rows = manifest(2)["instances"]
    done = planned(rows, ownership_tag=TAG)
    assert applied(done.value).value["ok"]
    assert all(TAG in each["tags"] for each in sandbox.instances())


def test_a_plan_in_a_file_travels_by_reference(app, sandbox, tmp_path):
    path = tmp_path / "plans" / "today.json"
    done = planned(manifest(5), chunk_size=2, plan_path=f"file://{path}")
    assert [each["part"] for each in done.value] == [0, 1, 2]
    assert "changes" not in done.value[0]
    assert applied(done.value[1], checksum=done.xcoms["checksum"]).value["counts"]["total"] == 2
    assert names(sandbox) == ["Tenant 2", "Tenant 3"]
    # Another plan under the same name is not the one that was approved.
    planned(manifest(6), plan_path=f"file://{path}")
    with pytest.raises(AirflowFailException, match="holds another plan"):
        applied(done.value[0])
    path.unlink()
    with pytest.raises(AirflowFailException, match="cannot be read"):
        applied(done.value[0])


def test_a_plan_that_nobody_approved_is_refused(app, wire):
    done = planned(manifest(2))
    with pytest.raises(AirflowFailException, match="not the one that checksum approves"):
        applied(done.value, checksum="0" * 64)
    changed = json.loads(json.dumps(done.value[0]))
    changed["changes"][0]["row"]["name"] = "Another"
    with pytest.raises(AirflowFailException, match="was changed"):
        applied(changed)
    assert wire.writes() == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (7, "it is of type int"),
        ("nonsense", "not JSON"),
        ([{"plan_path": "file:///nowhere/plan.json", "checksum": "x", "part": 0}], "lacks 'chunk_size'"),
        ([{"plan_path": "s3://b/", "checksum": "x", "part": 0, "chunk_size": 1}], "plan_path must be"),
        ({}, "no plan of version 1"),
    ],
    ids=["number", "text", "reference", "folder", "empty"],
)
def test_what_is_no_plan_is_refused(given, message, sandbox):
    with pytest.raises(AirflowFailException, match=message):
        applied(given)


@pytest.mark.parametrize("nothing", ["", " ", "None", None], ids=["empty", "space", "None", "null"])
def test_a_template_that_gives_no_checksum_approves_nothing(nothing, app, wire):
    parts = planned(manifest(2)).value
    operator = CloudElementsApplyInstancesOperator(task_id="apply", plan=parts, checksum="{{ template }}")
    operator.checksum = nothing
    with pytest.raises(AirflowFailException, match="checksum must be a text"):
        Done(operator)
    assert wire.writes() == []


@pytest.mark.parametrize("nothing", ["", "None", None], ids=["empty", "None", "null"])
def test_a_template_that_gives_no_ownership_tag_manages_nothing(nothing, app, wire):
    operator = CloudElementsPlanInstancesOperator(task_id="plan", manifest=[], ownership_tag="{{ template }}")
    operator.ownership_tag = nothing
    with pytest.raises(AirflowFailException, match="ownership_tag must be a text"):
        Done(operator)
    assert wire.calls() == []


def test_an_xcom_backend_may_give_tuples_for_lists(app, sandbox):
    done = planned(tupled(manifest(3)), chunk_size=2)
    assert applied(tupled(done.value)).value["counts"]["done"] == 3
    assert planned(manifest(3)).value == []


def test_parts_of_two_plans_are_refused(app, wire):
    one, two = planned(manifest(2), chunk_size=1).value, planned(manifest(3), chunk_size=1).value
    with pytest.raises(AirflowFailException, match="more than one plan"):
        applied([one[0], two[2]])
    assert wire.writes() == []


@pytest.mark.parametrize("content", [b"{broken", b"\xff\xfe", b""], ids=["broken", "bytes", "empty"])
def test_a_file_that_holds_no_plan_is_told(content, sandbox, tmp_path):
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    reference = {"plan_path": f"file://{path}", "checksum": "x", "part": 0, "chunk_size": 1}
    with pytest.raises(AirflowFailException, match="is no plan"):
        applied(reference)


@pytest.mark.parametrize("force", [7, b"deletes", [7]], ids=["number", "bytes", "numbers"])
def test_force_takes_names_alone(force, app, wire):
    parts = planned(manifest(1)).value
    with pytest.raises(AirflowFailException, match="force must be a list of names"):
        applied(parts, force=force)
    assert wire.writes() == []
    assert applied(parts, force=None).value["ok"]


def test_what_is_not_safe_stands_before_the_changes(app, sandbox):
    applied(planned(manifest(3)).value)
    text = planned(manifest(0), prune=True).xcoms["markdown"]
    assert text.index("Not safe:") < text.index("| change |")
    assert text.count("its events are on") == 6


# -- drift, limits, failures ----------------------------------------------------------------------


def test_drift_fails_the_task_with_the_plan_in_xcom(app, sandbox):
    applied(planned(manifest(2)).value)
    planned(manifest(2), fail_on_changes=True)
    sandbox.set_instance(sandbox.instances()[0]["id"], disabled=True)
    ti = FakeTi()
    check = CloudElementsPlanInstancesOperator(task_id="plan", manifest=manifest(3), fail_on_changes=True)
    with pytest.raises(CloudElementsDriftError, match=r"1 to create, 1 to enable|1 to enable, 1 to create"):
        check.execute(context_of(ti))
    assert len(ti.xcoms["return_value"][0]["changes"]) == 2


def test_drift_that_is_left_alone_on_purpose_fails_the_check_too(app, sandbox, person):
    """A person took the ownership tag off: nothing is written, and the account is not as the file says."""
    applied(planned(manifest(2)).value)
    there = sandbox.instances()[0]
    person.edit(there["id"], tags=[each for each in there["tags"] if each != TAG])
    ti = FakeTi()
    check = CloudElementsPlanInstancesOperator(task_id="plan", manifest=manifest(2), fail_on_changes=True)
    with pytest.raises(CloudElementsDriftError, match=r"manifest says: 1 left alone\. The log"):
        check.execute(context_of(ti))
    assert ti.xcoms["counts"] == {"unchanged": 1, "left": 1}
    assert "without the ownership tag" in ti.xcoms["markdown"]


def test_a_plan_that_deletes_too_much_needs_force_by_name(app, sandbox, wire):
    quiet = {"defaults": {"events_enabled": False}}
    applied(planned(manifest(12, **quiet)).value)
    done = planned(manifest(6, **quiet), prune=True)
    assert (done.xcoms["unsafe"], done.xcoms["deletes"]) == (["deletes"], 6)
    before = len(wire.writes())
    with pytest.raises(AirflowFailException, match="force 'deletes'"):
        applied(done.value)
    with pytest.raises(AirflowFailException, match="more than max_deletes=5"):
        applied(done.value, force=["deletes"], max_deletes=5)
    assert len(wire.writes()) == before
    applied(done.value, force=done.xcoms["unsafe"], max_deletes=6)
    assert len(sandbox.instances()) == 6


def test_limits_count_all_parts_of_one_task(app, wire):
    parts = planned(manifest(4), chunk_size=2).value
    with pytest.raises(AirflowFailException, match=r"UnsafePlanError.*4 together, more than max_changes=3"):
        applied(parts, max_changes=3)
    assert wire.writes() == []


def test_one_failure_does_not_stop_the_rest_and_fails_the_task_with_its_report(app, sandbox):
    parts = planned(manifest(4)).value
    sandbox.add_fault("status", method="POST", path="/instances", status=400, count=1)
    ti = FakeTi()
    apply = CloudElementsApplyInstancesOperator(task_id="apply", plan=parts, concurrency=1)
    with pytest.raises(CloudElementsApplyError, match="1 of 4 changes were not made"):
        apply.execute(context_of(ti))
    told = ti.xcoms["return_value"]
    assert told["counts"]["done"] == 3
    assert [each["status"] for each in told["results"]] == ["failed"]
    # The retry goes on with the rest.
    assert applied(parts).value["counts"] | {"stale": 0} == {
        **dict.fromkeys(("failed", "stale", "skipped"), 0),
        "done": 1,
        "already": 3,
        "total": 4,
    }
    assert len(sandbox.instances()) == 4


def test_fail_fast_ends_with_the_first_failure(app, sandbox):
    parts = planned(manifest(4), chunk_size=1).value
    sandbox.add_fault("status", method="POST", path="/instances", status=400, count=1)
    with pytest.raises(CloudElementsApplyError, match="1 of 1 changes"):
        applied(parts, fail_fast=True)
    assert sandbox.instances() == []


def test_progress_is_told_every_ten_seconds(monkeypatch):
    clock = iter([0.0, 4.0, 9.9, 10.0, 19.0, 20.0])
    monkeypatch.setattr(report.time, "monotonic", lambda: next(clock))
    told = []
    pace = report.Pace(told.append)
    for number in range(5):
        pace(number)
    assert told == [2, 4]


# -- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("plan", {"prune": "True"}, "prune must be True or False"),
        ("plan", {"chunk_size": 0}, "chunk_size must be a whole number from 1 on"),
        ("plan", {"chunk_size": "9"}, "chunk_size must be a whole number"),
        ("plan", {"max_deletes": -1}, "max_deletes must be a whole number"),
        ("plan", {"max_update_percent": 101}, "max_update_percent must be a number"),
        ("apply", {"concurrency": 257}, "concurrency must be a whole number from 1 to 256"),
        ("apply", {"report": "some"}, "report must be one of"),
        ("apply", {"fail_fast": 1}, "fail_fast must be True or False"),
        ("apply", {"max_changes": True}, "max_changes must be a whole number"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_plain_arguments_are_checked_when_the_file_is_parsed(kind, arguments, message):
    operators = {
        "plan": partial(CloudElementsPlanInstancesOperator, manifest="x.yaml"),
        "apply": partial(CloudElementsApplyInstancesOperator, plan=[]),
    }
    with pytest.raises((TypeError, ValueError, CloudElementsValidationError), match=message):
        operators[kind](task_id="task", **arguments)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (CloudElementsApplyInstancesOperator, {"concurrency": 0}),
        (CloudElementsApplyInstancesOperator, {"report": "some"}),
        (CloudElementsApplyInstancesOperator, {"max_deletes": -1}),
        (CloudElementsPlanInstancesOperator, {"prune": "yes"}),
        (CloudElementsPlanInstancesOperator, {"limits_from": None}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_plain_arguments_of_mapped_tasks_are_checked_too(kind, arguments):
    with pytest.raises((TypeError, ValueError, CloudElementsValidationError), match=r"must be"):
        kind.partial(task_id="task", **arguments)


def test_rows_that_became_a_text_are_refused_without_showing_them(sandbox):
    with pytest.raises(AirflowFailException, match="a text that holds rows") as caught:
        planned(str([{"key": "a", "configuration": {"password": SECRET}}]))
    assert SECRET not in str(caught.value)


def test_a_problem_names_file_and_line(app, sandbox, tmp_path):
    path = tmp_path / "tenants.yaml"
    path.write_text("instances:\n  - {key: a, name: A, element_conn_id: closeio_app, tag: [x]}\n")
    with pytest.raises(AirflowFailException, match=r"tenants\.yaml.*2"):
        planned(str(path))


# -- what is shown --------------------------------------------------------------------------------


def test_a_secret_among_the_rows_is_refused_and_never_shown(app, sandbox, caplog):
    rows = [{"key": "a", "name": "A", "element_conn_id": app, "configuration": {"password": SECRET}}]
    operator = CloudElementsPlanInstancesOperator(task_id="plan", manifest="{{ rows }}")
    operator.manifest = {"instances": rows}
    visible = json.dumps(operator._visible("manifest", operator.manifest))
    assert SECRET not in visible
    assert '"key": "a"' in visible
    for source in (
        rows,
        [{"key": {"password": SECRET}, "tags": [{"password": SECRET}]}],
        str(rows),
        {"instances": {"a": SECRET}},
        7,
        f"https://ada:{quote(SECRET, safe='')}@host/x",
    ):
        assert SECRET not in json.dumps(operator._visible("manifest", source))
    assert operator._visible("manifest", "dags/tenants.yaml") == "dags/tenants.yaml"
    with caplog.at_level(logging.DEBUG), pytest.raises(AirflowFailException) as caught:
        operator.execute(context_of())
    assert SECRET not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ([{"key": "a"}, {"key": "b", "configuration": {"password": SECRET}}], "row 2: configuration"),
        (
            {"defaults": {"event_configuration": {"event.notification.signature.key": SECRET}}},
            "defaults.event",
        ),
        ([{"key": "a", "oauth.api.secret": SECRET}], "row 1: oauth.api.secret"),
        ([{"key": "a", "configuration": {"more": [{"api.token": SECRET}]}}], "row 1: configuration"),
    ],
    ids=["row", "defaults", "field", "nested"],
)
def test_a_literal_secret_is_refused_before_the_dag_is_stored(source, field):
    """What is written in a DAG file would lie in the serialized DAG."""
    made = CloudElementsPlanInstancesOperator
    for make in (partial(made, task_id="plan"), partial(made.partial, task_id="plan")):
        with pytest.raises(CloudElementsManifestError, match=re.escape(field)) as caught:
            make(manifest=source)
        assert SECRET not in str(caught.value)


def test_a_key_is_no_literal_secret():
    rows = [{"key": "a", "name": "A"}, {"instance_key": "b", "instance_name": "B"}]
    CloudElementsPlanInstancesOperator(task_id="plan", manifest=rows)


def test_a_template_is_no_literal(app, sandbox):
    rows = [{"key": "a", "configuration": {"password": "{{ conn.closeio_app.password }}"}}]
    operator = CloudElementsPlanInstancesOperator(task_id="plan", manifest=rows)
    with pytest.raises(AirflowFailException, match="a secret does not stand in a manifest"):
        Done(operator)


@pytest.mark.parametrize("nothing", ["", " ", "None", None], ids=["empty", "space", "None", "null"])
def test_a_template_that_gives_no_plan_path_writes_nowhere(nothing, app, wire, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    operator = CloudElementsPlanInstancesOperator(
        task_id="plan", manifest=manifest(1), plan_path="{{ path }}"
    )
    operator.plan_path = nothing
    with pytest.raises(AirflowFailException, match="plan_path must be a text"):
        Done(operator)
    assert wire.calls() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("file:///tmp/", "plan_path must be the address of a file"),
        ("nowhere://bucket/plan.json", "library reaches plan_path"),
        ("file:///tmp/plan*.json", "plan_path must hold none of"),
    ],
    ids=["folder", "protocol", "pattern"],
)
def test_a_plan_path_that_names_no_file_is_refused_before_anything_is_called(path, said, app, wire):
    with pytest.raises(AirflowFailException, match=said):
        planned(manifest(1), plan_path=path)
    assert wire.calls() == []


def test_the_rendered_plan_shows_no_value_under_an_unknown_key(app, sandbox):
    """A value under a key that the provider does not know may be a secret, and apply needs it."""
    rows = manifest(1)
    rows["instances"][0]["configuration"] = {"site.address": SECRET, "event.poller.refresh_interval": "15"}
    parts = planned(rows).value
    assert SECRET in json.dumps(parts)
    for given in (parts, parts[0], json.dumps(parts[0]), {"odd": SECRET}, [{"changes": [SECRET]}], SECRET):
        operator = CloudElementsApplyInstancesOperator(task_id="apply", plan="{{ plan }}")
        operator.plan = given
        operator.render_template_fields(context_of())
        shown = json.dumps(operator.plan)
        assert SECRET not in shown + repr(operator.__dict__)
        assert operator.secret("plan") == given
        if given is parts:
            assert '"key": "tenant-0"' in shown
            assert '"configuration": {"site.address": "***"' in shown


def test_no_secret_leaves_plan_and_apply(app, sandbox, caplog, tmp_path):
    with caplog.at_level(logging.DEBUG):
        done = planned(manifest(2), plan_path=f"file://{tmp_path}/plan.json")
        told = applied(done.value, report="all").value
    text = json.dumps([done.value, done.xcoms, told]) + caplog.text + (tmp_path / "plan.json").read_text()
    assert SECRET not in text
    assert json.dumps(SECRET)[1:-1] not in text


@pytest.mark.parametrize("field", ["state", "events_enabled", "protect", "instance_id"])
def test_the_rendered_rows_show_of_a_switch_what_belongs_there(field):
    shown = {}
    for value in (SECRET, True, 5, "7", "absent", "true", [SECRET], {"a": SECRET}):
        operator = CloudElementsPlanInstancesOperator(task_id="plan", manifest="{{ rows }}")
        operator.render_template_fields({"rows": [{"name": "A", field: value}]}, NativeEnvironment())
        shown[str(value)] = operator.manifest[0][field]
    assert SECRET not in str([*shown.values()])
    assert [shown[each] for each in ("True", "5", "7", "absent", "true")] == [True, 5, "7", "absent", "true"]
