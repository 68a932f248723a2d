"""Formulas, their instances and executions, against the sandbox and against odd answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_cloudelements.client.formulas import FormulaInstance, FormulasApi, StepError
from airflow_provider_cloudelements.exceptions import (
    CloudElementsNotFoundError,
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from tests.support.platform import client_of
from tests.support.wire import USER, Call, Wire, account, answer, page

COUNT, CREATE, FAIL, ECHO = 8101, 8102, 8103, 8104
EXECUTION = {"id": 5, "formulaInstanceId": 7, "status": "pending"}


@pytest.fixture
def formulas(sandbox):
    with client_of(sandbox, max_retries=2) as client:
        yield client.formulas


def posts(sandbox) -> list[str]:
    return [each["path"] for each in sandbox.requests() if each["method"] == "POST"]


def made(formulas: FormulasApi, formula: int = ECHO, name: str = "One", **fields: Any) -> FormulaInstance:
    return formulas.create_instance(formula, name, **fields)


# -- formulas and their instances ----------------------------------------------------------------------------


def test_the_formulas_are_listed_and_read(formulas):
    found = {each.name: each for each in formulas.list()}
    assert set(found) == {"Count contacts", "Create a contact", "Fail in the second step", "Echo"}
    count = found["Count contacts"]
    assert (count.id, count.active, count.steps) == (COUNT, True, ("list-contacts", "count"))
    assert (count.required_keys, found["Echo"].required_keys) == (("crm",), ())
    assert formulas.get(str(COUNT)) == formulas.get({"id": COUNT}) == count
    with pytest.raises(CloudElementsNotFoundError):
        formulas.get(1)


def test_an_instance_is_made_found_switched_and_deleted(formulas, sandbox, person):
    number = person.make("basic")
    one = made(formulas, COUNT, configuration={"crm": number}, settings={"api": "x"})
    two = made(formulas, name="Two", active=False)
    assert (one.name, one.active, one.formula_id) == ("One", True, COUNT)
    assert one.created_date is not None
    assert (two.name, two.active, two.formula_id) == ("Two", False, ECHO)
    assert list(formulas.instances()) == [one, two]
    assert list(formulas.instances(element_instance_id={"id": number})) == [one]
    assert list(formulas.instances_of(ECHO)) == [two]
    assert formulas.instance(COUNT, one.id) == one
    formulas.activate_instance(ECHO, two.id)
    assert formulas.instance(ECHO, two.id).active is True
    formulas.deactivate_instance(ECHO, two.id)
    assert formulas.instance(ECHO, two.id) == two
    formulas.delete_instance(ECHO, two.id)
    for gone in (formulas.instance, formulas.delete_instance):
        with pytest.raises(CloudElementsNotFoundError):
            gone(ECHO, two.id)
    assert list(formulas.instances_of(ECHO)) == []
    assert "crm" not in repr(one)


def test_a_create_that_the_platform_refuses_names_what_is_missing(formulas):
    with pytest.raises(CloudElementsValidationError, match="crm"):
        made(formulas, COUNT)


@pytest.mark.parametrize("fault", ["drop", "status"])
def test_neither_a_create_nor_a_start_is_sent_twice(formulas, sandbox, fault):
    one = made(formulas)
    for path, call in (
        (f"/formulas/{ECHO}/instances", lambda: made(formulas, name="Two")),
        (f"/formulas/instances/{one.id}/executions", lambda: formulas.start(one.id)),
    ):
        before = len(posts(sandbox))
        rule = {"when": "after", "method": "POST", "path": path, "count": 1}
        sandbox.add_fault(fault, **rule, **({"status": 503} if fault == "status" else {}))
        with pytest.raises((CloudElementsTransportError, CloudElementsServerError)):
            call()
        assert posts(sandbox)[before:] == [path]
    assert len(list(formulas.instances())) == 2
    assert len(list(formulas.executions(one.id))) == 1


# -- executions ----------------------------------------------------------------------------------------------


def test_an_execution_its_steps_and_their_values(formulas, sandbox, person):
    number = person.make("basic")
    sandbox.set_records(number, "contacts", 41)
    one = made(formulas, COUNT, configuration={"crm": number})
    started = formulas.start(one.id)
    assert (started.formula_instance_id, started.status, started.ended) == (one.id, "pending", False)
    ended = formulas.execution(started.id)
    assert (ended.id, ended.status, ended.ended) == (started.id, "success", True)
    assert ended.updated_date >= ended.created_date
    steps = formulas.steps(started.id)
    assert [(step.step, step.status) for step in steps] == [
        ("list-contacts", "success"),
        ("count", "success"),
    ]
    assert steps[1].values == {"count.count": "41"}
    assert "41" not in repr(steps[1])
    assert formulas.errors(started.id) == ()


def test_the_payload_goes_to_the_steps(formulas):
    started = formulas.start(made(formulas).id, {"objectId": "7", "eventId": "a"})
    (step,) = formulas.steps(started.id)
    assert json.loads(step.values["echo.payload"]) == {"objectId": "7", "eventId": "a"}
    number = started.formula_instance_id
    assert [each.id for each in formulas.executions(number)] == [started.id]
    assert [each.id for each in formulas.executions(number, event_id="a", object_id="7")] == [started.id]
    assert list(formulas.executions(number, event_id="b")) == []


def test_the_errors_of_a_step_and_a_retry(formulas, sandbox):
    sandbox.plan_formula("fail", message="Out of luck")
    started = formulas.start(made(formulas).id)
    assert formulas.execution(started.id).status == "failed"
    assert formulas.errors(started.id) == (StepError("echo", "Out of luck"),)
    sandbox.plan_formula("stay")
    formulas.retry(started.id)
    seen = formulas.execution(started.id)
    assert (seen.status, seen.ended) == ("retry", False)
    formulas.cancel_retries(started.id)
    assert formulas.execution(started.id).status == "failed"
    formulas.retry(started.id)
    assert formulas.execution(started.id).status == "success"


def test_a_retry_is_not_sent_twice(formulas, sandbox):
    sandbox.plan_formula("fail")
    started = formulas.start(made(formulas).id)
    path = f"/formulas/instances/executions/{started.id}/retries"
    sandbox.add_fault("status", status=503, method="PUT", path=path, count=None)
    with pytest.raises(CloudElementsServerError):
        formulas.retry(started.id)
    assert [each["path"] for each in sandbox.requests() if each["method"] == "PUT"] == [path]


def test_a_cancel(formulas, sandbox):
    sandbox.plan_formula("stay")
    one = made(formulas)
    started = formulas.start(one.id)
    assert formulas.cancel(started.id).status == "cancelled"
    assert formulas.cancel(started.id).status == "cancelled"  # the platform refuses, and it is as asked
    done = formulas.start(one.id)
    assert formulas.execution(done.id).status == "success"
    with pytest.raises(CloudElementsValidationError, match="ended"):
        formulas.cancel(done.id)
    with pytest.raises(CloudElementsNotFoundError):
        formulas.cancel(1)


def test_a_cancel_whose_answer_is_lost_is_found_out(formulas, sandbox):
    sandbox.plan_formula("stay")
    started = formulas.start(made(formulas).id)
    sandbox.add_fault("drop", when="after", method="PATCH", count=1)
    assert formulas.cancel(started.id).status == "cancelled"
    assert [each["method"] for each in sandbox.requests()].count("PATCH") == 2


# -- odd answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [[], [EXECUTION, {**EXECUTION, "id": 6}], EXECUTION, None, "x"], ids=repr)
def test_a_start_that_does_not_name_one_execution_fails(body):
    with Wire(answer(body)) as wire, pytest.raises(CloudElementsServerError, match="one execution"):
        account(wire.url).client.formulas.start(7)


def test_a_start_that_was_refused_as_too_much_is_not_sent_again():
    with Wire(answer({"message": "Too many"}, 429)) as wire:
        with pytest.raises(CloudElementsRateLimitError):
            account(wire.url, max_retries=3).client.formulas.start(7)
        assert wire.targets() == ["POST /elements/api-v2/formulas/instances/7/executions"]


@pytest.mark.parametrize(
    ("status", "word", "ended"),
    [
        ("SUCCESS", "success", True),
        (" Failed", "failed", True),
        ("cancelled", "cancelled", True),
        ("unknown", "unknown", False),
        ("queued", "queued", False),
        ("new word", "new word", False),
        (None, "", False),
        (5, "", False),
    ],
)
def test_only_known_words_end_an_execution(status, word, ended):
    with Wire(answer({"id": "5", "status": status})) as wire:
        found = account(wire.url).client.formulas.execution(5)
    assert (found.id, found.status, found.ended, found.formula_instance_id) == (5, word, ended, None)


def test_what_cannot_be_read_of_steps_and_errors_is_left_out():
    steps = [{"stepName": "a", "stepExecutionValues": [{"key": 5}, "x", {"key": "k", "value": 1}]}, {}, 5]
    errors = [{"stepName": 5, "error": f"bad {USER}"}, "a text", {"error": ""}, None, {"stepName": "b"}]

    def script(call: Call):
        return page(steps if call.target.endswith("/steps") else errors)

    with Wire(script) as wire:
        api = account(wire.url).client.formulas
        (step,) = api.steps(5)
        assert (step.step, step.status, step.values) == ("a", "", {"k": 1})
        assert [(each.step, each.message) for each in api.errors(5)] == [(None, "bad ***"), (None, "a text")]


@pytest.mark.parametrize("value", [None, 0, -1, True, "", "x", "5/steps", [], {}, {"id": "x"}, 1.5], ids=repr)
def test_what_is_no_id_is_refused_by_its_name_before_any_call(value):
    with Wire(answer([])) as wire:
        api = account(wire.url).client.formulas
        for name, call in (
            ("formula_id", api.get),
            ("formula_id", api.instances_of),
            ("formula_id", lambda each: api.create_instance(each, "x")),
            ("formula_instance_id", lambda each: api.instance(5, each)),
            ("formula_instance_id", api.start),
            ("formula_instance_id", lambda each: list(api.executions(each))),
            ("execution_id", api.execution),
            ("execution_id", api.cancel),
        ):
            with pytest.raises(CloudElementsValidationError, match=f"^{name} must be an id"):
                call(value)
        assert wire.calls == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda api: api.create_instance(5, 6), "name must be a text"),
        (lambda api: api.create_instance(5, "x", ["a"]), "configuration must be a dictionary"),
        (lambda api: api.create_instance(5, "x", settings="a"), "settings must be a dictionary"),
        (lambda api: api.create_instance(5, "x", active="yes"), "active must be True or False"),
        (lambda api: api.start(5, "payload"), "payload must be a dictionary"),
        (lambda api: api.executions(5, event_id=6), "eventId must be a text"),
    ],
)
def test_a_wrong_argument_is_refused_by_its_name(call, said):
    with Wire(answer([])) as wire:
        with pytest.raises(CloudElementsValidationError, match=said):
            call(account(wire.url).client.formulas)
        assert wire.calls == []
