"""The operator that runs a formula, against the sandbox."""

from __future__ import annotations

import datetime
import json
import os
import signal
import threading
import time

import pytest
import time_machine

from airflow_provider_cloudelements.client.formulas import FormulasApi
from airflow_provider_cloudelements.client.wire import clock
from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsError,
    CloudElementsFormulaError,
)
from airflow_provider_cloudelements.operators._parts.json_lines import json_line
from airflow_provider_cloudelements.operators.formulas import CloudElementsRunFormulaOperator
from airflow_provider_cloudelements.triggers import poll
from airflow_provider_cloudelements.use import formulas as use
from tests.support.context import FakeStore, FakeTi, WorkerClock, context_of
from tests.support.hidden import assert_hidden, shown
from tests.support.triggers import event_of
from tests.support.wire import Wire, answer

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:
    from airflow.exceptions import TaskDeferred

COUNT, CREATE, FAIL, ECHO = 8101, 8102, 8103, 8104
LOST = [{"action": "drop"}, *({"action": "status", "status": each} for each in (408, 499, 503))]
LINES = pytest.mark.parametrize("store", [None, FakeStore], ids=["3.1 and 3.2", "3.3"])


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Shorten the pauses."""
    monkeypatch.setattr(use, "SETTLE", 0.2)
    monkeypatch.setattr(poll, "FLOOR", 0.02)
    monkeypatch.setattr(poll, "GATHER", 0.02)


@pytest.fixture
def made(person):
    """Give a function that makes an instance of a formula, and returns its id."""

    def make(formula=ECHO, name="One", **fields):
        return person.call("POST", f"/formulas/{formula}/instances", {"name": name, **fields})["id"]

    return make


def operator_of(**arguments):
    task = CloudElementsRunFormulaOperator(**{"task_id": "run", "poke_interval": 1, **arguments})
    task.poke_interval = 0.05
    return task


def run(ti=None, store=None, **arguments):
    return operator_of(**arguments).execute(context_of(ti or ti_of(), store))


def ti_of(try_number=1, max_tries=2):
    ti = FakeTi(try_number)
    ti.max_tries = max_tries
    return ti


def starts(sandbox):
    return [each for each in sandbox.requests() if each["path"].endswith("/executions") and is_post(each)]


def is_post(call):
    return call["method"] == "POST"


def executions(sandbox):
    return [(each["id"], each["status"]) for each in sandbox.formula_executions()]


# -- a run ---------------------------------------------------------------------------------------------------


def test_a_formula_runs_and_the_values_of_steps_come_back(sandbox, person, made):
    number = person.make("basic")
    sandbox.set_records(number, "contacts", 41)
    instance, ti = made(COUNT, configuration={"crm": number}), ti_of()
    done = run(ti, formula_instance_id=instance, steps=["count"])
    ((execution, status),) = executions(sandbox)
    assert status == "success"
    assert done == {
        "execution_id": execution,
        "formula_instance_id": instance,
        "status": "success",
        "outputs": {"count": {"count.count": "41"}},
    }
    assert ti.xcoms == {"execution_id": execution}
    assert json.loads(json.dumps(done)) == done


def test_it_waits_through_passing_faults_until_the_execution_has_ended(sandbox, made, task_log):
    sandbox.configure(formula_duration=0.5)
    sandbox.add_fault("status", status=503, method="GET", path="/formulas/instances/executions/*", count=4)
    done = run(formula_instance_id=made(), payload={"a": "x"}, steps=["echo"])
    assert (done["status"], json.loads(done["outputs"]["echo"]["echo.payload"])) == ("success", {"a": "x"})
    assert "The status is not known this time" in task_log.text
    assert len(starts(sandbox)) == 1


@pytest.mark.parametrize(
    "named",
    [
        lambda number: {"formula_instance_id": str(number)},
        lambda number: {"formula_instance_id": {"id": number}},
        lambda _: {"formula_instance_name": "One"},
        lambda _: {"formula_id": ECHO},
        lambda _: {"formula_name": "Echo"},
        lambda _: {"formula_name": "Echo", "formula_instance_name": "One"},
        lambda number: {"formula_id": str(ECHO), "formula_instance_id": number},
    ],
)
def test_the_instance_is_named_by_id_by_name_or_by_its_formula(sandbox, made, named):
    number = made()
    made(name="Switched off", active=False)
    made(FAIL, name="Of another formula")
    assert run(**named(number))["formula_instance_id"] == number


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "Give formula_instance_id or formula_instance_name"),
        ({"formula_id": 1, "formula_name": "x"}, "Give formula_id or formula_name, not both"),
        (
            {"formula_instance_id": 1, "formula_instance_name": "x"},
            "formula_instance_id or formula_instance_n",
        ),
        ({"formula_instance_id": "x"}, "formula_instance_id must be an id"),
        ({"formula_name": 5}, "formula_name must be a text"),
        ({"formula_instance_name": " "}, "formula_instance_name names nothing"),
        ({"formula_name": "Ecko"}, "no formula of the name 'Ecko'. Did you mean 'Echo'"),
        ({"formula_instance_name": "Tw"}, "There are 2, not one formula instance of the name 'Tw'"),
        ({"formula_id": ECHO}, "There are 2, not one active instance"),
        ({"formula_id": FAIL}, "There is no active instance"),
        ({"formula_id": FAIL, "formula_instance_name": "Tw"}, "There is no formula instance of the name"),
        ({"formula_id": 1}, "answered 404"),
        ({"formula_instance_id": 1}, "answered 404"),
        (
            {"formula_id": ECHO, "steps": ["eco"]},
            "'eco', which is no step of the formula 'Echo': did you mean",
        ),
        ({"formula_id": ECHO, "steps": ["zzz"]}, "it has 'echo'"),
        ({"formula_id": ECHO, "steps": "echo"}, "steps must be a list of texts"),
        ({"formula_id": ECHO, "payload": ["a"]}, "payload must be a dictionary"),
    ],
    ids=str,
)
def test_a_wrong_argument_fails_at_once_and_nothing_starts(sandbox, made, arguments, said):
    made(name="Tw"), made(name="Tw")
    with pytest.raises(AirflowFailException, match=said):
        run(**arguments)
    assert executions(sandbox) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"wait": "yes"}, "wait must be True or False"),
        ({"poke_interval": 0}, "poke_interval must be a number of seconds, at least 1"),
        ({"poke_interval": float("nan")}, "poke_interval must be"),
        ({"timeout": None}, "timeout must be a number of seconds"),
        ({"deferrable": "no"}, "deferrable must be True or False"),
        ({"max_xcom_bytes": 0}, "max_xcom_bytes must be a whole number"),
    ],
    ids=str,
)
@pytest.mark.parametrize("make", [operator_of, CloudElementsRunFormulaOperator.partial])
def test_a_wrong_switch_is_refused_when_the_dag_is_parsed(make, arguments, said):
    with pytest.raises((TypeError, ValueError), match=said):
        make(**{"task_id": "run", **arguments})


def test_a_step_that_did_not_run_gives_none_and_too_much_is_an_error(made):
    number = made()
    assert run(formula_instance_id=number, steps=["echo", "other"])["outputs"]["other"] is None
    with pytest.raises(
        AirflowFailException, match="ended with success, and the values of its steps have more"
    ):
        run(formula_instance_id=number, steps=["echo"], payload={"a": "x" * 500}, max_xcom_bytes=400)


def test_values_that_airflow_cannot_carry_are_made_fit_before_they_are_measured(sandbox, monkeypatch):
    # The sandbox writes values as JSON texts in ASCII, so none of these can come from it.
    rows = (
        b'[{"id": 1, "stepName": "s", "status": "success", "stepExecutionValues": ['
        b'{"key": "nul", "value": "a\\u0000b"}, {"key": "half", "value": "x\\ud83d"}, '
        b'{"key": "large", "value": 98765432109876543210}]}]'
    )

    def script(call):
        if call.method == "POST":
            return answer([{"id": 5}])
        if "/steps" in call.target:
            return answer(rows)
        return answer({"id": 5, "formulaInstanceId": 7, "status": "success"})

    with Wire(script) as wire:
        known = json.loads(os.environ["AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT"])
        monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps({**known, "host": wire.url}))
        done = run(formula_instance_id=7, steps=["s"])
        assert done["outputs"] == {
            "s": {"nul": "a\ufffdb", "half": "x\ufffd", "large": "98765432109876543210"}
        }
        most = len(json_line(done))
        assert run(formula_instance_id=7, steps=["s"], max_xcom_bytes=most) == done
        with pytest.raises(AirflowFailException, match="max_xcom_bytes"):
            run(formula_instance_id=7, steps=["s"], max_xcom_bytes=most - 1)


def test_the_advice_for_a_literal_secret_in_the_payload_fits_a_payload(task_log):
    written = operator_of(formula_instance_id=5, payload={"password": "a-literal-word"})
    written.render_template_fields({})
    advice = "payload['password'] holds a secret as written in the DAG's source"
    assert advice in task_log.text
    assert "a template of it here: '{{ conn.my_login.password }}'" in task_log.text
    assert "cloudelements_element" not in task_log.text
    assert "a-literal-word" not in task_log.text
    # What it advises is no literal, and gives the value.
    task_log.clear()
    advised = operator_of(formula_instance_id=5, payload={"password": "{{ conn.my_login.password }}"})
    advised.render_template_fields({"conn": {"my_login": {"password": "a-literal-word"}}})
    assert advised.secret("payload") == {"password": "a-literal-word"}
    assert advice not in task_log.text


def test_without_waiting_it_returns_the_execution(sandbox, made):
    sandbox.plan_formula("stay")
    done = run(formula_instance_id=made(), wait=False, steps=["echo"])
    assert (done["status"], done["outputs"]) == ("pending", {"echo": None})
    assert executions(sandbox) == [(done["execution_id"], "pending")]


# -- failures ------------------------------------------------------------------------------------------------


def test_the_errors_of_steps_are_in_the_message(sandbox, made):
    with pytest.raises(CloudElementsFormulaError) as failed:
        run(formula_instance_id=made(FAIL))
    ((number, _),) = executions(sandbox)
    assert f"Execution {number} of formula instance" in str(failed.value)
    assert "failed. Step 'fail': TypeError: Cannot read property 'id' of undefined" in str(failed.value)
    assert (failed.value.execution_id, failed.value.execution_status) == (number, "failed")
    assert failed.value.retryable


def test_no_secret_shows_in_the_error_of_a_step(sandbox, made):
    secret = "A/Secret+Of/The+Payload0="
    sandbox.plan_formula("fail", message=f"refused {secret} of {sandbox.user_secret}\nby the vendor")
    with pytest.raises(CloudElementsFormulaError, match=r"refused \*\*\* of \*\*\* by the vendor") as failed:
        run(formula_instance_id=made(), payload={"password": secret})
    assert_hidden(shown(failed.value), secret, sandbox.user_secret)


def test_errors_that_cannot_be_read_leave_a_failure(sandbox, made):
    sandbox.add_fault("status", status=503, path="/formulas/instances/executions/*/errors", count=None)
    with pytest.raises(CloudElementsFormulaError, match=r"failed\. Its errors cannot be read: GET"):
        run(formula_instance_id=made(FAIL))


def test_one_that_a_person_cancels_is_a_failure(sandbox, person, made):
    sandbox.plan_formula("stay")
    task = operator_of(formula_instance_id=made())
    pause = task._pause

    def cancelling(seconds):
        pause(seconds)
        ((number, _),) = executions(sandbox)
        person.call("PATCH", f"/formulas/instances/executions/{number}", {"status": "cancelled"})

    task._pause = cancelling
    with pytest.raises(CloudElementsFormulaError, match="was cancelled"):
        task.execute(context_of(ti_of()))


def test_one_that_takes_too_long_is_cancelled(sandbox, made):
    sandbox.plan_formula("stay")
    with pytest.raises(CloudElementsFormulaError, match="timeout of 1 seconds; the operator cancelled it"):
        run(formula_instance_id=made(), timeout=1)
    ((_, status),) = executions(sandbox)
    assert status == "cancelled"


def test_one_that_ends_just_before_its_cancel_has_ended(sandbox, made):
    task = operator_of(formula_instance_id=made())
    task.timeout = 0.0
    assert task.execute(context_of(ti_of()))["status"] == "success"


# -- deferred ------------------------------------------------------------------------------------------------


def deferred(task, store=None):
    """Run a task until it defers, and return its trigger."""
    with pytest.raises(TaskDeferred) as raised:
        task.execute(context_of(ti_of(), store))
    assert raised.value.method_name == "execute_complete"
    return raised.value.trigger


def resume(task, event, store=None):
    return task.resume_execution("execute_complete", {"event": event}, context_of(ti_of(), store))


async def test_a_deferred_one_returns_alike(sandbox, made):
    sandbox.configure(formula_duration=0.5)
    task = operator_of(formula_instance_id=made(), steps=["echo"], payload={"a": "x"}, deferrable=True)
    trigger = deferred(task)
    ((number, status),) = executions(sandbox)
    assert status == "pending"
    done = resume(task, await event_of(trigger))
    assert (done["execution_id"], done["status"]) == (number, "success")
    assert json.loads(done["outputs"]["echo"]["echo.payload"]) == {"a": "x"}
    assert len(starts(sandbox)) == 1


def test_one_that_has_ended_does_not_defer(made):
    assert run(formula_instance_id=made(), deferrable=True)["status"] == "success"


async def test_a_deferred_one_fails_with_the_errors_of_its_steps(sandbox, made):
    sandbox.configure(formula_duration=0.5)
    task = operator_of(formula_instance_id=made(FAIL), deferrable=True)
    event = await event_of(deferred(task))
    with pytest.raises(CloudElementsFormulaError, match="Step 'fail': TypeError"):
        resume(task, event)


@pytest.mark.parametrize(
    "limit", [{"timeout": 1}, {"execution_timeout": datetime.timedelta(seconds=1)}], ids=str
)
async def test_a_deferred_one_that_takes_too_long_is_cancelled(sandbox, made, limit):
    sandbox.plan_formula("stay")
    task = operator_of(formula_instance_id=made(), deferrable=True, **limit)
    event = await event_of(deferred(task))
    ((number, _),) = executions(sandbox)
    assert event == {"status": "success", "late": number}
    with pytest.raises(
        CloudElementsFormulaError, match=f"the {next(iter(limit))} of 1 seconds; the operator"
    ):
        resume(task, event)
    assert executions(sandbox) == [(number, "cancelled")]


async def test_an_execution_timeout_of_zero_is_none_as_in_airflows_worker(sandbox, made):
    sandbox.configure(formula_duration=0.5)
    task = operator_of(formula_instance_id=made(), deferrable=True, execution_timeout=datetime.timedelta(0))
    assert resume(task, await event_of(deferred(task)))["status"] == "success"


def test_a_try_after_a_cleared_deferral_takes_the_execution_up(sandbox, made):
    sandbox.plan_formula("stay")
    store, number = FakeStore(), made()
    first = deferred(operator_of(formula_instance_id=number, deferrable=True), store)
    again = operator_of(formula_instance_id=number, deferrable=True)
    with pytest.raises(TaskDeferred) as raised:
        again.execute(context_of(ti_of(2, max_tries=3), store))
    assert raised.value.trigger.execution_id == first.execution_id
    assert len(starts(sandbox)) == 1


@pytest.mark.parametrize("event", [None, {}, {"status": "new"}, {"status": "success"}, "success", 7], ids=str)
def test_an_event_that_is_missing_or_unknown_is_a_failure(sandbox, event):
    with pytest.raises(CloudElementsError, match="without the result"):
        resume(operator_of(formula_instance_id=5, deferrable=True), event)


def test_a_failure_in_the_event_is_raised_as_its_kind(sandbox):
    event = {"status": "error", "kind": "CloudElementsNotFoundError", "message": "gone", "final": True}
    with pytest.raises(AirflowFailException, match="CloudElementsNotFoundError: gone"):
        resume(operator_of(formula_instance_id=5, deferrable=True), event)


# -- killed --------------------------------------------------------------------------------------------------


@pytest.fixture
def terminated():
    """Give a function that runs a task as Airflow does, and sends the process TERM when something is so."""
    before = signal.getsignal(signal.SIGTERM)

    def execute(task, when, store=None):
        signal.signal(signal.SIGTERM, lambda *_: task.on_kill())

        def watch():
            end = time.monotonic() + 20
            while not when() and time.monotonic() < end:
                time.sleep(0.02)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            return task.execute(context_of(ti_of(), store))
        finally:
            thread.join(30)

    yield execute
    signal.signal(signal.SIGTERM, before)


def test_a_killed_task_cancels_its_execution_and_reports_no_success(sandbox, made, terminated, task_log):
    sandbox.plan_formula("stay")
    store = FakeStore()
    with pytest.raises(CloudElementsFormulaError, match="killed while its formula ran"):
        terminated(operator_of(formula_instance_id=made()), lambda: executions(sandbox), store)
    ((number, status),) = executions(sandbox)
    assert status == "cancelled"
    assert f"Execution {number} was cancelled." in task_log.text
    # A retry starts another one.
    (instance,) = {each["formulaInstanceId"] for each in sandbox.formula_executions()}
    assert run(ti_of(2), store, formula_instance_id=instance)["status"] == "success"
    assert len(executions(sandbox)) == 2


def test_killed_in_the_midst_of_the_start_it_cancels_what_has_started(sandbox, made, terminated):
    sandbox.plan_formula("stay")
    number = made()
    sandbox.add_fault("delay", seconds=1.5, method="POST", path=f"/formulas/instances/{number}/executions")
    began = time.monotonic()
    with pytest.raises(CloudElementsFormulaError, match="killed"):
        terminated(operator_of(formula_instance_id=number), lambda: time.monotonic() > began + 0.7)
    ((_, status),) = executions(sandbox)
    assert status == "cancelled"


def test_a_cancel_that_fails_is_in_the_log_and_the_task_has_failed(sandbox, made, terminated, task_log):
    sandbox.plan_formula("stay")
    sandbox.add_fault("status", status=503, method="PATCH", count=None)
    with pytest.raises(CloudElementsFormulaError, match="killed"):
        terminated(operator_of(formula_instance_id=made()), lambda: executions(sandbox))
    assert "could not be cancelled: PATCH" in task_log.text


# -- one execution, over all tries ---------------------------------------------------------------------------


def test_a_retry_takes_up_the_execution_of_a_killed_worker(sandbox, made, person):
    sandbox.configure(formula_duration=1)
    number, store = made(), FakeStore()
    first = run(ti_of(1), store, formula_instance_id=number, wait=False)
    done = run(ti_of(2), store, formula_instance_id=number)
    assert (done["execution_id"], done["status"]) == (first["execution_id"], "success")
    # A try that was killed after the end, too: Airflow itself makes the next one.
    assert run(ti_of(3), store, formula_instance_id=number)["execution_id"] == first["execution_id"]
    assert len(starts(sandbox)) == 1
    # A person who clears the task wants another one.
    assert (
        run(ti_of(4, max_tries=6), store, formula_instance_id=number)["execution_id"] != done["execution_id"]
    )


def test_after_a_failed_or_forgotten_execution_a_retry_starts_another(sandbox, made, person):
    number, store = made(), FakeStore()
    sandbox.plan_formula("fail")
    with pytest.raises(CloudElementsFormulaError):
        run(ti_of(1), store, formula_instance_id=number)
    assert run(ti_of(2), store, formula_instance_id=number)["status"] == "success"
    person.call("DELETE", f"/formulas/instances/{number}")
    assert run(ti_of(3), store, formula_instance_id=made())["status"] == "success"
    store.values[use.StartMemory.KEY] = json.dumps(
        {"instance": number, "began": time.time(), "execution": 1, "series": 2}
    )
    other = made(name="Two")
    assert run(ti_of(3), store, formula_instance_id=other)["status"] == "success"


def test_the_store_holds_ids_and_times_alone(sandbox, made):
    store = FakeStore()
    run(ti_of(), store, formula_instance_id=made(), payload={"password": "a-secret-value"})
    ((_, value),) = store.values.items()
    assert set(json.loads(value)) == {"instance", "began", "execution", "series", "told", "ahead"}


@LINES
@pytest.mark.parametrize("fault", LOST, ids=str)
def test_a_start_that_never_arrived_may_be_tried_again(sandbox, made, store, fault):
    number, store = made(), store and store()
    sandbox.add_fault(**fault, when="before", method="POST", path=f"/formulas/instances/{number}/executions")
    with pytest.raises(CloudElementsError, match="a retry starts one"):
        run(ti_of(1), store, formula_instance_id=number)
    assert run(ti_of(2), store, formula_instance_id=number)["status"] == "success"
    assert len(executions(sandbox)) == 1


@LINES
@pytest.mark.parametrize("fault", LOST, ids=str)
def test_a_start_whose_answer_is_lost_ends_the_task_with_its_candidate(sandbox, made, store, fault):
    number, store = made(), store and store()
    sandbox.add_fault(**fault, when="after", method="POST", path=f"/formulas/instances/{number}/executions")
    with pytest.raises(AirflowFailException) as failed:
        run(ti_of(1), store, formula_instance_id=number)
    ((execution, _),) = executions(sandbox)
    assert isinstance(failed.value.__cause__, CloudElementsAmbiguousCreateError)
    assert f"an execution has begun since ({execution})" in str(failed.value)
    # Who clears the task has looked.
    assert run(ti_of(2, max_tries=3), store, formula_instance_id=number)["execution_id"] != execution


def test_a_retry_policy_of_the_users_own_gets_no_second_execution(sandbox, made):
    number, store = made(), FakeStore()
    sandbox.add_fault("drop", when="after", method="POST", path=f"/formulas/instances/{number}/executions")

    def attempt(try_number, max_tries):
        task = operator_of(formula_instance_id=number)
        task.retry_policy = object()  # one that retries whatever it is given
        return task.execute(context_of(ti_of(try_number, max_tries), store))

    for try_number in (1, 2, 3):
        with pytest.raises(CloudElementsAmbiguousCreateError, match="an execution has begun since"):
            attempt(try_number, 2)
    assert len(starts(sandbox)) == 1
    # Who clears the task has looked. What that try starts is taken up by its own retries.
    assert attempt(4, 6)["execution_id"] == attempt(5, 6)["execution_id"] == executions(sandbox)[1][0]
    assert len(starts(sandbox)) == 2


def test_a_worker_killed_in_the_midst_of_its_start_leaves_a_note(sandbox, made, person, monkeypatch):
    number, store = made(), FakeStore()

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    def die(formula_instance_id):
        with monkeypatch.context() as patch:
            patch.setattr(FormulasApi, "start", killed)
            with pytest.raises(Killed):
                run(ti_of(1), store, formula_instance_id=formula_instance_id)

    die(number)
    # Nothing has started, so the next try may.
    first = run(ti_of(2), store, formula_instance_id=number)
    assert first["status"] == "success"

    other = made(name="Two")
    die(other)
    person.call("POST", f"/formulas/instances/{other}/executions", {})
    with pytest.raises(AirflowFailException, match="an execution has begun since"):
        run(ti_of(2), store, formula_instance_id=other)
    assert len(executions(sandbox)) == 2


def test_if_nobody_knows_what_has_begun_the_next_try_looks_again(sandbox, made):
    number, store = made(), FakeStore()
    path = f"/formulas/instances/{number}/executions"
    sandbox.add_fault("drop", when="after", method="POST", path=path)
    sandbox.add_fault("status", status=503, method="GET", path=path, count=2)
    with pytest.raises(CloudElementsAmbiguousCreateError, match="its executions cannot be listed") as failed:
        run(ti_of(1), store, formula_instance_id=number)
    assert failed.value.retryable
    with pytest.raises(AirflowFailException, match="an execution has begun since"):
        run(ti_of(2), store, formula_instance_id=number)
    assert len(starts(sandbox)) == 1


@pytest.mark.parametrize(("dated", "later"), [(True, 0), (True, 7200), (False, 0)])
def test_a_worker_whose_clock_was_set_since_starts_no_second_execution(
    sandbox, made, monkeypatch, dated, later
):
    worker = WorkerClock(3600)
    for module in (use, clock):
        monkeypatch.setattr(module, "time", worker)
    instance, store = made(), FakeStore()
    path = f"/formulas/instances/{instance}/executions"
    sandbox.add_fault("drop", path=path, method="POST", when="after")
    answer = {"action": "status", "status": 503} if dated else {"action": "drop"}
    sandbox.add_fault(path=path, method="GET", count=2, **answer)
    with pytest.raises(CloudElementsAmbiguousCreateError, match="cannot be listed"):
        run(ti_of(1), store, formula_instance_id=instance)
    worker.ahead = 0
    with (
        time_machine.travel(time.time() + later),
        pytest.raises(AirflowFailException, match="an execution has begun since"),
    ):
        run(ti_of(2), store, formula_instance_id=instance)
    assert len(starts(sandbox)) == 1


def test_a_start_that_the_platform_refuses_leaves_no_note(sandbox, made):
    number, store = made(active=False), FakeStore()
    with pytest.raises(AirflowFailException, match="not active"):
        run(ti_of(1), store, formula_instance_id=number)
    assert json.loads(store.values[use.StartMemory.KEY]) == {}
