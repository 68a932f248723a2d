"""Rendering letter by letter: in every operator and sensor, with and without native objects."""

from __future__ import annotations

import jinja2
import pendulum
import pytest
from airflow.sdk import DAG

from airflow_provider_cloudelements.operators._parts.rendering import LetterByLetter
from airflow_provider_cloudelements.operators.changes import CloudElementsUpdateInstanceOperator
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator
from airflow_provider_cloudelements.operators.instances import (
    CloudElementsCreateInstanceOperator,
    CloudElementsDeleteInstanceOperator,
)
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor
from tests.support.tasks import ALL

NEEDED = {
    "CloudElementsApplyInstancesOperator": {"plan": []},
    "CloudElementsCallResourceOperator": {"path": "/contacts"},
    "CloudElementsDownloadBulkOperator": {"object_name": "contacts", "path": "file:///tmp/x.csv"},
    "CloudElementsDownloadChangesOperator": {
        "path": "/contacts",
        "updated_field": "updated",
        "output_path": "file:///tmp/x.jsonl",
    },
    "CloudElementsFormulaExecutionSensor": {"execution_id": 5},
    "CloudElementsPlanInstancesOperator": {"manifest": "x.yaml"},
    "CloudElementsCreateInstanceOperator": {"instance_name": "x"},
    "CloudElementsSetNotificationPolicyOperator": {"policy": "retry"},
    "CloudElementsUploadBulkOperator": {"object_name": "contacts", "path": "file:///tmp/x.csv"},
}
TEXTS = [
    "1.10",
    "0123",
    "2024",
    "1_000",
    "1e3",
    "True",
    "None",
    "[1]",
    "{'a': 1}",
    "(1,)",
    "'quoted'",
    " x ",
    "'",
]


def render(operator, native, **context):
    with DAG(
        "a_dag", schedule=None, start_date=pendulum.datetime(2026, 1, 1), render_template_as_native_obj=native
    ):
        made = operator()
    made.render_template_fields(context)
    return made


def value_of(task, field):
    return task.secret(field) if hasattr(task, "secret") else getattr(task, field)


def test_every_operator_and_sensor_is_here():
    assert len(ALL) >= 15
    assert {each.__name__ for each in ALL} >= {
        "CloudElementsDeleteInstanceOperator",
        "CloudElementsEventSensor",
        "CloudElementsInstanceSensor",
        "CloudElementsReadEventsOperator",
        "CloudElementsReleaseDeliveriesOperator",
    }
    assert all(issubclass(each, LetterByLetter) for each in ALL)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_each_text_is_what_its_template_rendered_to(kind, native):
    fields = sorted(kind.template_fields)
    for text in TEXTS:

        def made(text=text):
            task = kind(task_id="a_task", **NEEDED.get(kind.__name__, {}))
            for field in fields:
                setattr(task, field, "{{ v }}")
            return task

        task = render(made, native, v=text)
        collections = set(task.collection_fields) if native and text in ("[1]", "{'a': 1}", "(1,)") else set()
        for field in set(fields) - collections:
            assert value_of(task, field) == text, field


@pytest.mark.parametrize("text", ["1.10", "0123", "2024", "1_000"])
@pytest.mark.parametrize("native", [True, False])
def test_a_text_without_a_template_and_texts_inside_of_lists_and_dictionaries_stay(native, text):
    def made():
        return CloudElementsCreateInstanceOperator(
            task_id="create",
            instance_name=text,
            instance_key=f"{text[:2]}{{{{ rest }}}}",
            tags=["gold", text, "{{ v }}"],
            configuration={"username": "{{ v }}", "password": text, "more": [{"deep": "{{ v }}"}]},
            provider_data={"realmId": "{{ v }}"},
            authorization_code="{{ v }}",
        )

    task = render(made, native, v=text, rest=text[2:])
    assert (task.instance_name, task.instance_key, task.tags) == (text, text, ["gold", text, text])
    assert task.secret("configuration") == {"username": text, "password": text, "more": [{"deep": text}]}
    assert task.secret("provider_data") == {"realmId": text}
    assert task.secret("authorization_code") == text


def test_mapped_texts_stay():
    with DAG(
        "a_dag", schedule=None, start_date=pendulum.datetime(2026, 1, 1), render_template_as_native_obj=True
    ):
        mapped = CloudElementsDeleteInstanceOperator.partial(task_id="delete").expand(instance_key=["1.10"])
    task = mapped.unmap({"instance_key": "1.10"})
    task.render_template_fields({})
    assert task.instance_key == "1.10"


@pytest.mark.parametrize("value", [{"id": 5, "name": "x"}, 5, None, True, 1.5, ["a"]], ids=repr)
def test_native_objects_stay_objects(value):
    def made():
        return CloudElementsInstanceSensor(task_id="wait", instance_id="{{ v }}")

    assert render(made, native=True, v=value).instance_id is value
    assert render(made, native=False, v=value).instance_id == str(value)


def test_a_list_or_dictionary_that_is_written_as_a_text_is_read_where_no_text_is_taken():
    def made():
        return CloudElementsUpdateInstanceOperator(
            task_id="update",
            instance_id="[{{ v }}]",
            tags="['1.10', '{{ v }}']",
            configuration="{'username': '{{ v }}'}",
        )

    task = render(made, native=True, v="2024")
    assert (task.instance_id, task.tags) == ("[2024]", ["1.10", "2024"])
    assert task.secret("configuration") == {"username": "2024"}
    assert render(made, native=False, v="2024").tags == "['1.10', '2024']"


@pytest.mark.parametrize("text", ["1_000", "12", "'5'", "[", "f(1)", "[" * 300 + "]" * 300])
def test_what_is_no_list_stays_a_text(text):
    def made():
        return CloudElementsCheckInstancesOperator(task_id="check", instance_ids="{{ v }}")

    assert render(made, native=True, v=text).instance_ids == text


@pytest.mark.parametrize("native", [True, False])
def test_a_missing_value_is_an_error(native):
    def made():
        return CloudElementsDeleteInstanceOperator(task_id="delete", instance_key="{{ missing }}")

    with pytest.raises(jinja2.UndefinedError, match="missing"):
        render(made, native)


def test_macros_and_globals_are_there_natively():
    with DAG(
        "a_dag",
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1),
        render_template_as_native_obj=True,
        user_defined_macros={"shout": str.upper},
    ):
        task = CloudElementsDeleteInstanceOperator(
            task_id="delete", instance_key="{{ shout(v) }}-{{ 1 + 1 }}"
        )
    task.render_template_fields({"v": "a"})
    assert task.instance_key == "A-2"
