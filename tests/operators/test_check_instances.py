"""CloudElementsCheckInstancesOperator: its report, its table, what fails it, and what it never tells."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pendulum
import pytest

from airflow_provider_cloudelements.client.tags import Identity
from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConnectionError,
    CloudElementsServerError,
    CloudElementsUnhealthyError,
)
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators import health
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator
from airflow_provider_cloudelements.provisioning.health import InstanceState
from tests.support.context import FakeTi, context_of
from tests.support.hidden import assert_hidden
from tests.support.patience import wait_for
from tests.support.platform import WAYS, Wire
from tests.support.receiver import receiving

STATES = ("healthy", "disabled", "invalid", "needs re-authentication", "unreachable")


def checking(**arguments):
    return CloudElementsCheckInstancesOperator(task_id="check", **arguments)


def check(**arguments):
    return checking(**arguments).execute(context_of())


def counts(**given):
    return {**dict.fromkeys(STATES, 0), **given}


@pytest.fixture
def ill(sandbox, person):
    """Make a healthy, a disabled and an invalid instance with tag ``t``; return their ids."""
    made = [person.make("basic", name=name, tags=["t"]) for name in ("Well", "Off", "Broken")]
    sandbox.set_instance(made[1], disabled=True)
    sandbox.set_instance(made[2], valid=False)
    return made


@pytest.fixture
def masked(monkeypatch):
    """Collect what is registered with Airflow's masker."""
    import airflow.sdk.log

    values = []
    monkeypatch.setattr(airflow.sdk.log, "mask_secret", lambda value, *_: values.append(value))
    return values


# -- the report -----------------------------------------------------------------------------------


def test_the_report_of_all(ill):
    report = check()
    others = {"element": "closeio", "events": False, "tags": ["t"]}
    assert report == {
        "checked": 3,
        "counts": counts(healthy=1, disabled=1, invalid=1),
        "instances": [
            {"id": ill[0], "name": "Well", "state": "healthy", **others},
            {"id": ill[1], "name": "Off", "state": "disabled", **others, "detail": None},
            {"id": ill[2], "name": "Broken", "state": "invalid", **others, "detail": None},
        ],
        "missing": [],
    }
    assert list(report["counts"]) == [state.value for state in InstanceState] == list(STATES)
    # XCom and whoever reads it get plain values.
    assert json.loads(json.dumps(report)) == report
    assert {type(row["state"]) for row in report["instances"]} == {str}


def test_the_report_of_those_that_are_not_healthy_counts_all_the_same(ill):
    report = check(report="unhealthy")
    assert [row["id"] for row in report["instances"]] == ill[1:]
    assert (report["checked"], report["counts"]["healthy"]) == (3, 1)


def test_the_detail_is_what_the_call_answered(sandbox, person):
    there = person.make("basic")
    sandbox.add_fault("status", status=500, path="/ping", count=None)
    (row,) = check()["instances"]
    assert (row["id"], row["state"]) == (there, "unreachable")
    assert "GET /ping answered 500" in row["detail"]


def test_by_tag_by_element_by_both_and_of_the_account(ill, person):
    other = person.make("refresh", tags=["t"])
    another = person.make("refresh", tags=["u"])

    def found(**query):
        return [row["id"] for row in check(**query)["instances"]]

    assert found() == found(tag="", element="") == found(tag=None) == [*ill, other, another]
    assert found(tag="t") == found(tag="t", element="") == [*ill, other]
    assert found(element="hubspotcrm") == [other, another]
    assert found(tag="t", element="hubspotcrm") == [other]
    assert found(tag="nobody's") == []


def test_of_none_it_is_an_empty_report(sandbox, task_log):
    wanted = {"checked": 0, "counts": counts(), "instances": [], "missing": []}
    assert check() == wanted
    assert "Checked 0 instances: there are none." in task_log.text
    wire = Wire(sandbox)
    # What a task that is mapped over nothing gives is not the whole account.
    assert check(instance_ids=[]) == check(instance_ids=iter(())) == wanted
    assert wire.calls() == []


def test_by_ids_in_every_form_once_each_in_their_order(ill, sandbox, person, task_log):
    person.make("basic", name="not asked for")
    gone = person.make("basic")
    person.delete(gone)
    given = [
        str(ill[2]),
        {"id": ill[0], "name": "x"},
        gone,
        f" {ill[1]} ",
        ill[0],
        {"id": str(ill[2])},
        999_999,
    ]
    wire = Wire(sandbox)
    report = check(instance_ids=given)
    assert [row["id"] for row in report["instances"]] == [ill[2], ill[0], ill[1]]
    assert report["missing"] == [gone, 999_999]
    assert (report["checked"], report["counts"]) == (3, counts(healthy=1, disabled=1, invalid=1))
    assert f"2 instances do not exist: {gone}, 999999." in task_log.text
    assert len(wire.calls()) == 6


@pytest.mark.parametrize("form", [lambda i: i, str, lambda i: {"id": i}, lambda i: (each for each in [i])])
def test_a_single_id_and_whatever_can_be_iterated_will_do(form, person):
    there = person.make("basic")
    assert [row["id"] for row in check(instance_ids=form(there))["instances"]] == [there]


def test_a_lazy_sequence_is_only_iterated(person):
    class Lazy:
        """As a mapped task's output: each item, its length and a comparison cost a call to Airflow."""

        def __init__(self, items):
            self.items, self.iterated = items, 0

        def __iter__(self):
            self.iterated += 1
            return iter(self.items)

        def __len__(self):
            raise AssertionError("asked for its length")

        def __eq__(self, other):
            raise AssertionError("compared")

        __hash__ = None

    there = [person.make("basic"), person.make("basic")]
    lazy = Lazy([{"id": each, "name": "x"} for each in there])
    assert [row["id"] for row in check(instance_ids=lazy)["instances"]] == there
    assert lazy.iterated == 1


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", "str"),
        ("None", "str"),
        ("[1, 2]", "str"),
        (0, "int"),
        (True, "bool"),
        (1.5, "float"),
        ([5, None], "NoneType"),
        ([[5]], "list"),
        ([{"name": "x"}], "dict"),
        ({}, "dict"),
        (b"5", "bytes"),
    ],
)
def test_what_holds_no_ids_fails_for_good_without_a_call(value, kind, sandbox):
    with pytest.raises(AirflowFailException, match=f"instance_ids must be a list of ids .* of type {kind}"):
        check(instance_ids=value)
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"instance_ids": [1], "tag": "t"}, "instance_ids goes with neither"),
        ({"instance_ids": [], "element": "sfdc"}, "instance_ids goes with neither"),
        ({"tag": " "}, "tag must be a text"),
        ({"tag": ["t"]}, "tag must be a text"),
        ({"element": 5}, "element must be a text"),
    ],
)
def test_what_does_not_go_together_fails_for_good_without_a_call(arguments, message, sandbox):
    with pytest.raises(AirflowFailException, match=message):
        check(**arguments)
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"concurrency": 0}, ValueError),
        ({"concurrency": 65}, ValueError),
        ({"concurrency": "8"}, ValueError),
        ({"concurrency": True}, ValueError),
        ({"concurrency": 8.0}, ValueError),
        ({"report": "none"}, ValueError),
        ({"report": None}, ValueError),
        ({"fail_on": "invalid"}, TypeError),
        ({"fail_on": None}, TypeError),
        ({"fail_on": ("invalid", "ill")}, ValueError),
        ({"fail_on": ["INVALID"]}, ValueError),
    ],
)
def test_choices_are_checked_when_the_dag_is_parsed(arguments, kind):
    with pytest.raises(kind, match=next(iter(arguments))):
        checking(**arguments)


def test_all_choices_are_taken():
    assert [checking(concurrency=number).concurrency for number in (1, 64)] == [1, 64]
    assert checking().fail_on == ()
    assert checking(fail_on=list(InstanceState)).fail_on == STATES
    assert checking(fail_on={"invalid"}).fail_on == ("invalid",)
    assert set(CloudElementsCheckInstancesOperator.template_fields) == {
        "cloudelements_conn_id",
        "tag",
        "element",
        "instance_ids",
    }


# -- what fails it --------------------------------------------------------------------------------


def test_a_state_of_fail_on_fails_the_task_after_the_report_is_in_xcom(ill):
    ti = FakeTi()
    task = checking(fail_on=(InstanceState.INVALID, "needs re-authentication"), report="unhealthy")
    with pytest.raises(CloudElementsUnhealthyError) as caught:
        task.execute(context_of(ti))
    assert str(caught.value) == (f"1 of 3 instances are in a state of fail_on (1 invalid): {ill[2]}.")
    assert caught.value.retryable
    assert ti.xcoms["return_value"] == check(report="unhealthy")
    assert ti.xcoms["summary"]["counts"] == counts(healthy=1, disabled=1, invalid=1)


def test_other_states_do_not_fail_it_and_push_nothing_by_hand(ill):
    ti = FakeTi()
    report = checking(fail_on=("needs re-authentication", "unreachable")).execute(context_of(ti))
    assert report["checked"] == 3
    assert set(ti.xcoms) == {"summary"}


def test_the_page_of_all_instances_gets_a_summary(ill):
    ti = FakeTi()
    checking(tag="t", report="unhealthy", instance_ids=None).execute(context_of(ti))
    summary = ti.xcoms["summary"]
    assert pendulum.now("UTC") - pendulum.parse(summary.pop("at")) < pendulum.duration(minutes=1)
    assert summary == {
        "version": 1,
        "connection": "cloudelements_default",
        "tag": "t",
        "element": None,
        "checked": 3,
        "counts": counts(healthy=1, disabled=1, invalid=1),
        "missing": 0,
        "listed": 2,
        "console_url": None,
    }


@pytest.fixture
def busy(sandbox, person):
    """Make an instance with three queued deliveries of six events, and one without events."""
    with receiving() as receiver:
        receiver.status, events = 500, {"event.notification.enabled": True}
        events["event.notification.callback.url"] = receiver.url
        person.call("PATCH", "/accounts/settings", {"notification.webhook.failure.policy": "queue"})
        made = [person.make("basic", configuration={**WAYS["basic"][1], **events}) for _ in range(2)]
        sandbox.emit(made[0], count=3)
        wait_for(lambda: [each["status"] for each in sandbox.deliveries()] == ["queued"] * 3)
        receiver.status = 200
        sandbox.emit(made[0], count=3)
        wait_for(lambda: len([one for one in sandbox.deliveries() if one["status"] == "delivered"]) == 3)
        yield made


def test_traffic_adds_events_an_hour_and_queued_deliveries_that_are_not_0(busy, sandbox):
    ti = FakeTi()
    log = Wire(sandbox)
    report = checking(traffic=True, fail_on=STATES[1:]).execute(context_of(ti))
    one, other = report["instances"]
    assert (one["queued"], one["events_per_hour"]) == (3, pytest.approx(6 / 24.5, abs=0.02))
    assert set(one) - set(other) == {"queued", "events_per_hour"}
    sums = {"queued": 3, "events_per_hour": one["events_per_hour"], "queue_read": True}
    assert {key: ti.xcoms["summary"].get(key) for key in sums} == sums
    assert json.loads(json.dumps(report)) == report
    assert sum("analytics" in call or "deliveries" in call for call in log.calls()) == 2
    checking(instance_ids=[other["id"]], traffic=True).execute(context_of(ti))
    assert (ti.xcoms["summary"]["queued"], ti.xcoms["summary"]["events_per_hour"]) == (0, 0)


def test_traffic_that_the_platform_does_not_say_fails_no_check(busy, sandbox, task_log):
    ti = FakeTi()
    sandbox.add_fault("status", status=403, path="/instances/events/analytics*", count=None)
    report = checking(traffic=True).execute(context_of(ti))
    assert (report["checked"], ti.xcoms["summary"]["events_per_hour"]) == (2, None)
    assert ti.xcoms["summary"]["queued"] == 3
    with pytest.raises(TypeError, match="traffic must be True or False"):
        checking(traffic="yes")


def test_the_tags_of_the_report_are_those_that_people_set(sandbox, person):
    identity = Identity.of(CloudElementsHook().settings, "tenant 1")
    person.make("basic", name="One", tags=["gold", *identity.tags])
    assert check()["instances"][0]["tags"] == ["gold"]


def test_do_xcom_push_is_honoured(ill):
    ti = FakeTi()
    with pytest.raises(CloudElementsUnhealthyError):
        checking(fail_on=("disabled",), do_xcom_push=False).execute(context_of(ti))
    assert ti.xcoms == {}


def test_the_error_names_twenty_ids_and_how_many_more(sandbox, person):
    made = [person.make("basic", name="A person's words") for _ in range(25)]
    sandbox.add_fault("status", status=500, path="/ping", count=None)
    with pytest.raises(CloudElementsUnhealthyError) as caught:
        check(fail_on=STATES)
    told = str(caught.value)
    assert told.endswith(f"(25 unreachable): {', '.join(map(str, made[:20]))} and 5 more.")
    assert "words" not in told


def test_the_platform_that_refuses_our_own_secrets_is_no_report(sandbox, person, monkeypatch):
    for _ in range(30):
        person.make("basic")
    connection = sandbox.connection(max_retries=1)
    connection["password"] = "Another/Secret+than/the+right/one+000000000="
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
    ti, wire = FakeTi(), Wire(sandbox)
    with pytest.raises(AirflowFailException, match="CloudElementsAuthError: GET /instances answered 401"):
        checking(fail_on=STATES).execute(context_of(ti))
    assert ti.xcoms == {}
    assert wire.calls() == ["GET /instances"]


@pytest.mark.parametrize("by_ids", [False, True])
def test_secrets_rotated_in_between_are_no_report_either(by_ids, sandbox, person):
    made = [person.make("basic") for _ in range(60)]
    sandbox.add_fault("status", status=401, path="/ping", skip=5, count=None)
    sandbox.add_fault("status", status=401, path="/instances/*", skip=5 if by_ids else 0, count=None)
    wire = Wire(sandbox)
    with pytest.raises(AirflowFailException, match="CloudElementsAuthError: GET /instances/"):
        check(concurrency=2, instance_ids=made if by_ids else None)
    assert len(wire.calls()) < 30
    assert not [each for each in threading.enumerate() if each.name.startswith("cloudelements-check")]


def test_a_connection_with_a_raw_header_says_that_it_cannot(sandbox, person, monkeypatch):
    person.make("basic")
    raw = f"User {sandbox.user_secret}, Organization {sandbox.organization_secret}"
    connection = {"conn_type": "cloudelements", "host": sandbox.url, "extra": {"authorization": raw}}
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
    with pytest.raises(AirflowFailException, match="field 'authorization'") as caught:
        check()
    assert isinstance(caught.value.__cause__, CloudElementsConnectionError)
    assert_hidden(str(caught.value), sandbox.user_secret, sandbox.organization_secret)


def test_a_list_that_fails_fails_the_task_and_a_retry_may_help(sandbox, ill):
    sandbox.add_fault("status", status=500, path="/instances")
    with pytest.raises(CloudElementsServerError):
        check()


# -- what it never tells, and what it costs -------------------------------------------------------


@pytest.mark.parametrize("by_ids", [False, True])
def test_300_instances_cost_a_ping_each_no_mask_and_tell_no_token(by_ids, sandbox, person, masked, task_log):
    made = [person.make("basic", name=f"Tenant {number}") for number in range(300)]
    tokens = [person.show(each)["token"] for each in made]
    sandbox.add_fault("status", status=401, path="/ping")
    sandbox.add_fault("status", status=500, path="/ping")
    sandbox.add_fault("status", status=404, path="/ping")
    task = checking(fail_on=("unreachable",), instance_ids=made if by_ids else None, concurrency=8)
    ti, wire = FakeTi(), Wire(sandbox)
    with pytest.raises(CloudElementsUnhealthyError) as caught:
        task.execute(context_of(ti))
    report = ti.xcoms["return_value"]
    assert report["counts"] == counts(healthy=297, unreachable=2, **{"needs re-authentication": 1})
    assert [row["id"] for row in report["instances"]] == made

    calls = wire.calls()
    assert calls.count("GET /ping") == 300
    assert calls.count("GET /instances") == (0 if by_ids else 2)
    # Two refused pings were looked into.
    assert calls.count("GET /instances/N") == (302 if by_ids else 2)
    # The connection's two secrets, in the forms that differ.
    assert 0 < len(masked) <= 8
    text = "\n".join(
        [json.dumps(report), task_log.text, str(caught.value), repr(caught.value), repr(vars(task))]
    )
    assert not [token for token in tokens if token in text or token in masked]
    assert_hidden(text, tokens[0], tokens[150], sandbox.user_secret, sandbox.organization_secret)


def test_concurrency_is_what_was_asked_for(sandbox, person):
    for _ in range(24):
        person.make("basic")
    sandbox.add_fault("delay", seconds=0.05, path="/ping", count=None)
    task = checking(concurrency=3)
    send, names = task.hook.get_conn().http.send, set()

    def noted(method, path, **options):
        if path == "/ping":
            names.add(threading.current_thread().name)
        return send(method, path, **options)

    task.hook.get_conn().http.send = noted
    task.execute(context_of())
    assert len(names) == 3


# -- the table in the log -------------------------------------------------------------------------


def lines(task_log):
    # Airflow itself warns of an execute() outside of a task.
    return [record.getMessage() for record in task_log.records if record.levelname == "INFO"]


def test_the_table_tells_those_that_are_not_healthy_first(ill, task_log):
    check()
    summary, *table = lines(task_log)
    assert summary == "Checked 3 instances: 1 healthy, 1 disabled, 1 invalid."
    assert table == [
        "id      state     element  name    detail",
        f"{ill[1]}  disabled  closeio  Off",
        f"{ill[2]}  invalid   closeio  Broken",
        f"{ill[0]}  healthy   closeio  Well",
    ]


def test_the_table_has_a_hundred_rows_at_most(sandbox, person, task_log):
    made = [person.make("basic") for _ in range(103)]
    sandbox.set_instance(made[-1], disabled=True)
    check(report="unhealthy")
    _, _, *rows = lines(task_log)
    assert (len(rows), rows[-1]) == (101, "... and 3 more")
    assert str(made[-1]) in rows[0]


def test_a_name_can_neither_end_a_line_nor_colour_it_nor_widen_the_table(person, task_log):
    name = "A\nfalse\tline \x1b[31mred\x1b[0m \u202e" + "x" * 500
    person.make("basic", name=name)
    (row,) = check()["instances"]
    assert "false" in row["name"]
    for line in lines(task_log):
        assert line.isprintable()
        assert len(line) < 150
    assert "A false line ?[31mred?[0m ?xxx" in task_log.text
    assert "xxx...\n" in task_log.text


def test_every_column_is_bounded():
    row = dict.fromkeys(("id", "name", "element", "state", "detail"), "long " * 300)
    for line in health._table([row]):
        assert len(line) <= sum(health._COLUMNS.values()) + 2 * 4
    assert list(health._table([])) == []


# -- inside Airflow -------------------------------------------------------------------------------


FOLDER = Path(__file__).parent / "dags"


@pytest.fixture(scope="module")
def dags(load_dags):
    return load_dags(FOLDER / "check_dags.py")


@pytest.fixture
def run(dags, sandbox, monkeypatch):
    from airflow import settings

    from tests.support.runs import Run

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))
    return lambda dag, **conf: Run(getattr(dags, dag).test(run_conf=conf))


@pytest.mark.airflow
def test_it_takes_what_a_mapped_create_returns(run, sandbox):
    done = run("mapped", tenants=["acme", "globex", "initech"], element="closeio")
    assert done.state == "success", done.tasks
    made = [done.xcoms["create", index, "return_value"]["id"] for index in range(3)]
    for name in ("check_all", "check_ids"):
        report = done.xcoms[name, -1, "return_value"]
        assert (report["counts"], report["missing"]) == (counts(healthy=3), [])
        assert [row["id"] for row in report["instances"]] == made
    for index in range(3):
        report = done.xcoms["check_each", index, "return_value"]
        assert (report["checked"], report["instances"]) == (1, [])
    by_tag = [done.xcoms["check_by_tag", index, "return_value"]["checked"] for index in range(2)]
    assert by_tag == [3, 0]
    assert done.rendered["check_by_tag", 0]["element"] == "closeio"


@pytest.mark.airflow
def test_a_failing_check_leaves_its_report_to_the_task_that_repairs(run, sandbox, person):
    well, off = (person.make("basic", tags=["t"]) for _ in range(2))
    sandbox.set_instance(off, disabled=True)
    done = run("failing", tag="t")
    # Tried again: they may have been well by then.
    assert done.tasks["check", -1] == ("failed", 2)
    report = done.xcoms["check", -1, "return_value"]
    assert [row["id"] for row in report["instances"]] == [well, off]
    assert report["counts"] == counts(healthy=1, disabled=1)
    assert done.xcoms["repair", -1, "return_value"] == [off]


@pytest.mark.airflow
def test_our_own_secrets_refused_cost_no_retry_and_leave_no_report(run, sandbox, person):
    person.make("basic", tags=["t"])
    sandbox.add_fault("status", status=401, path="/ping", count=None)
    sandbox.add_fault("status", status=401, path="/instances/*", count=None)
    done = run("failing", tag="t")
    assert done.tasks["check", -1] == ("failed", 1)
    assert ("check", -1, "return_value") not in done.xcoms
