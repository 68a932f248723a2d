"""What a failed task shows: one sentence, and no line of ours or of a library."""

from __future__ import annotations

import logging
import traceback

import pytest
from airflow.sdk import BaseOperator

from airflow_provider_cloudelements.compat import AirflowFailException, AirflowNotFoundException
from airflow_provider_cloudelements.exceptions import CloudElementsServerError, CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.failures import FinalFailures
from airflow_provider_cloudelements.operators.instances import CloudElementsDeleteInstanceOperator
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor
from tests.support.context import context_of
from tests.support.hidden import assert_hidden, shown


def failed(sandbox, **arguments):
    task = CloudElementsDeleteInstanceOperator(task_id="delete", **arguments)
    with pytest.raises(Exception) as caught:  # noqa: PT011  each test looks at it
        task.execute(context_of())
    return caught.value


def frames(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def test_a_final_failure_begins_and_ends_with_its_sentence(sandbox):
    error = failed(sandbox, instance_id="a name")
    assert type(error) is AirflowFailException
    assert str(error).startswith("CloudElementsValidationError: instance_id must be")
    text = "".join(traceback.format_exception(error))
    assert text.splitlines()[0].endswith(str(error).removeprefix("CloudElementsValidationError: "))
    assert text.splitlines()[-1].endswith(str(error))
    assert frames(error.__cause__) == []
    assert "perform" not in frames(error)


def test_a_failure_that_may_pass_is_raised_without_the_lines_of_libraries(sandbox):
    sandbox.add_fault("status", status=503, count=None)
    error = failed(sandbox, instance_key="x")
    assert type(error) is CloudElementsServerError
    assert error.__context__ is None
    assert "tenacity" not in "".join(traceback.format_exception(error))
    assert "perform" not in frames(error)


def test_a_missing_connection_too(sandbox):
    error = failed(sandbox, instance_id=7, cloudelements_conn_id="nobody")
    assert type(error) is AirflowNotFoundException
    assert "'nobody' (argument cloudelements_conn_id)" in str(error)
    assert "perform" not in frames(error)


def test_the_lines_are_in_the_log_at_level_debug(caplog, monkeypatch):
    task = BaseOperator(task_id="x")
    monkeypatch.setattr(BaseOperator, "log", logging.getLogger("tests.failures"))
    caplog.set_level(logging.DEBUG, "tests.failures")

    def somewhere():
        raise CloudElementsValidationError("It is wrong.")

    with pytest.raises(AirflowFailException), FinalFailures(task):
        somewhere()
    assert "in somewhere" in caplog.text


def test_another_error_leaves_as_it_is():
    def somewhere():
        raise KeyError("x")

    with pytest.raises(KeyError) as caught, FinalFailures(BaseOperator(task_id="x")):
        somewhere()
    assert frames(caught.value)[-1] == "somewhere"


@pytest.mark.parametrize("kind", [CloudElementsDeleteInstanceOperator, CloudElementsInstanceSensor])
def test_an_unknown_argument_is_named_without_its_value(kind):
    arguments = {"instance_kee": "S3cret/Value+=1"}  # not in the line that a traceback shows
    with pytest.raises(TypeError) as caught:
        kind(task_id="x", **arguments)
    assert str(
        caught.value
    ) == f"{kind.__name__} (task 'x') has no argument 'instance_kee': did you mean " + ("'instance_key'?")
    assert_hidden(shown(caught.value), "S3cret/Value+=1")


def test_another_type_error_stays():
    with pytest.raises(TypeError, match="priority_weight"):
        CloudElementsDeleteInstanceOperator(task_id="x", instance_id=7, priority_weight="much")
