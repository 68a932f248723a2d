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


def test_the_delete_waits_for_other_teardowns_of_the_block():
    with dag() as made:
        with element_instance(**ARGUMENTS) as create:
            up = EmptyOperator(task_id="up").as_setup()
            down = EmptyOperator(task_id="down").as_teardown(setups=up)
            create >> up >> EmptyOperator(task_id="work") >> down
            tidy_up = EmptyOperator(task_id="tidy_up")
            tidy_up.as_teardown(setups=create, on_failure_fail_dagrun=True)
            EmptyOperator(task_id="more") >> tidy_up
        behind = EmptyOperator(task_id="behind").as_teardown(setups=create)
        made.task_dict["delete_instance"] >> behind
    users = {"create_instance", "up", "work", "down", "more", "tidy_up"}
    assert made.task_dict["delete_instance"].upstream_task_ids == users
    # The failure of one that shall fail the run still does, although it is no last task any more.
    judged = {"create_instance", "up", "work", "more", "tidy_up"}
    assert made.task_dict["create_instance_work_done"].upstream_task_ids == judged
    made.check_cycle()


@pytest.mark.parametrize("fail_run", [True, False])
@pytest.mark.parametrize("fail_fast", [True, False])
def test_a_teardown_judges_the_work_of_each_block(fail_fast, fail_run):
    inner = {"task_id": "inner", "delete_task_id": "delete_inner", "on_failure_fail_dagrun": fail_run}
    with dag(fail_fast=fail_fast) as made:
        before = EmptyOperator(task_id="before")
        with element_instance(**ARGUMENTS, on_failure_fail_dagrun=fail_run) as outer:
            first = EmptyOperator(task_id="first")
            with element_instance(**ARGUMENTS, **inner) as create:
                first >> create
                EmptyOperator(task_id="second")
        before >> outer
    judged = {"inner": {"second"}, "create_instance": {"first", "second", "inner", "inner_work_done"}}
    if fail_run:  # behind the inner delete is the outer one, so the run no longer ends with it
        judged["create_instance"] |= {"delete_inner"}
    for name, work in judged.items():
        judge = made.task_dict[f"{name}_work_done"]
        assert isinstance(judge, FailAfterFailedWork)
        assert judge.is_teardown
        assert judge.on_failure_fail_dagrun
        assert judge.upstream_task_ids == {name, *work}
    assert made.task_dict["delete_inner"].upstream_task_ids == {"inner", "second"}
    # Airflow itself lets an outer teardown wait for the create that it belongs to, and for no inner one.
    users = {"create_instance", "delete_inner", *judged["create_instance"]}
    assert made.task_dict["delete_instance"].upstream_task_ids == users


def test_the_delete_waits_for_all_work_and_not_for_the_last_task_alone():
    with dag() as made, element_instance(**ARGUMENTS):
        [EmptyOperator(task_id="quick"), EmptyOperator(task_id="slow")] >> EmptyOperator(
            task_id="last", trigger_rule="one_success"
        )
    assert made.task_dict["delete_instance"].upstream_task_ids == {"create_instance", "quick", "slow", "last"}


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
        EmptyOperator(task_id="earlier") >> EmptyOperator(task_id="work") >> judge
        EmptyOperator(task_id="after") >> judge
    ti = States(states)
    if failed is None:
        judge.execute({"ti": ti})
    else:
        with pytest.raises(AirflowFailException, match=f"The work failed: {failed}."):
            judge.execute({"ti": ti})
    assert ti.asked == [{"dag_id": "a_dag", "task_ids": ["after", "work"], "run_ids": ["manual__1"]}]


def test_in_a_mapped_group_it_looks_at_its_own_copy_alone():
    with dag():
        judge = FailAfterFailedWork(task_id="judge")
        EmptyOperator(task_id="work") >> judge
    ti = States({})
    ti.map_index = 1
    judge.execute({"ti": ti})
    assert ti.asked[0]["map_index"] == 1
