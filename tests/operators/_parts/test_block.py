"""The tasks and the key of ``element_instance``, without a run."""

from __future__ import annotations

import pendulum
import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup

from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.operators._parts.block import FailAfterFailedWork, block_key
from airflow_provider_cloudelements.operators.instances import element_instance
from tests.support.context import FakeTi

ARGUMENTS = {"element": "closeio", "instance_name": "Scoped", "event_callback_url": None}


def dag(**options):
    return DAG("a_dag", schedule=None, start_date=pendulum.datetime(2026, 1, 1), **options)


def key_of(task, **names):
    task.render_template_fields({"ti": FakeTi(**names), "dag": task.dag})
    return task.instance_key


def blocks():
    """Yield create and delete of every block, of two DAGs that are alike."""
    for dag_id in ("a_dag", "another_dag"):
        with DAG(dag_id, schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as made:
            with element_instance(**ARGUMENTS):
                EmptyOperator(task_id="work")
            with TaskGroup("group"), element_instance(**ARGUMENTS):
                EmptyOperator(task_id="work")
        for prefix in ("", "group."):
            yield (
                dag_id,
                made.task_dict[f"{prefix}create_instance"],
                made.task_dict[f"{prefix}delete_instance"],
            )


def test_create_and_delete_have_the_same_key_and_no_other_block_copy_or_run_has_it():
    keys = set()
    for dag_id, create, delete in blocks():
        template = create.instance_key
        for run_id in ("manual__1", "manual__2"):
            for map_index in (-1, 0, 1):
                create.instance_key = delete.instance_key = template
                names = {"dag_id": dag_id, "run_id": run_id, "map_index": map_index}
                key = key_of(create, task_id=create.task_id, **names)
                assert key == key_of(delete, task_id=delete.task_id, **names)
                keys.add(key)
    assert len(keys) == 2 * 2 * 2 * 3


def test_the_key_begins_as_given_and_stays_a_template():
    assert block_key("{{ params.key }}", "group.create") == (
        "{{ params.key }}/{{ ti.run_id }}/{{ ti.dag_id }}/group.create/{{ ti.map_index }}"
    )


def test_without_work_there_is_no_task_after_it():
    with dag(fail_fast=True) as made, element_instance(**ARGUMENTS):
        pass
    assert set(made.task_ids) == {"create_instance", "delete_instance"}


@pytest.mark.parametrize("fail_run", [True, False])
def test_under_fail_fast_a_teardown_judges_the_work_of_each_block(fail_run):
    inner = {"task_id": "inner", "delete_task_id": "delete_inner", "on_failure_fail_dagrun": fail_run}
    with dag(fail_fast=True) as made, element_instance(**ARGUMENTS, on_failure_fail_dagrun=fail_run):
        first = EmptyOperator(task_id="first")
        with element_instance(**ARGUMENTS, **inner) as create:
            first >> create
            EmptyOperator(task_id="second")
    for name in ("inner_work_done", "create_instance_work_done"):
        judge = made.task_dict[name]
        assert isinstance(judge, FailAfterFailedWork)
        assert judge.is_teardown
        assert judge.on_failure_fail_dagrun
    assert {"first", "second", "inner"} <= made.task_dict["create_instance_work_done"].get_flat_relative_ids(
        upstream=True
    )


@pytest.mark.parametrize("fail_run", [True, False])
def test_otherwise_it_is_an_empty_task_if_it_is_needed(fail_run):
    with dag() as made, element_instance(**ARGUMENTS, on_failure_fail_dagrun=fail_run):
        EmptyOperator(task_id="work")
    assert ("create_instance_work_done" in made.task_ids) is fail_run
    if fail_run:
        assert not made.task_dict["create_instance_work_done"].is_teardown


class States(FakeTi):
    """A task instance that knows the states of the others."""

    def __init__(self, states):
        super().__init__()
        self.states, self.asked = states, []

    def get_task_states(self, **query):
        self.asked.append(query)
        return {self.run_id: self.states} if self.states else {}


@pytest.mark.parametrize(
    ("states", "failed"),
    [
        ({"work": "failed", "after": "skipped"}, "work"),
        ({"work_0": "success", "work_1": "upstream_failed"}, "work_1"),
        ({"work": "success", "after": "skipped"}, None),
        ({}, None),
    ],
)
def test_it_fails_for_good_if_a_task_before_it_failed(states, failed):
    with dag():
        judge = FailAfterFailedWork(task_id="judge")
        EmptyOperator(task_id="work") >> EmptyOperator(task_id="after") >> judge
    ti = States(states)
    if failed is None:
        judge.execute({"ti": ti})
    else:
        with pytest.raises(AirflowFailException, match=f"The work failed: {failed}."):
            judge.execute({"ti": ti})
    assert ti.asked == [{"dag_id": "a_dag", "task_ids": ["after", "work"], "run_ids": ["manual__1"]}]
