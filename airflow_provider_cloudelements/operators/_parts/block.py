"""The tasks of ``element_instance`` beside create and delete, and the key of its instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_cloudelements.compat import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import Context

#: States in which a task of the work has failed, or could not run because another one had failed.
_FAILED = ("failed", "upstream_failed")


def block_key(key: str, task_id: str) -> str:
    """Return the template of a key that only one block, in one run, has.

    Runs of two DAGs can have the same id, one DAG can have several blocks, and a task group can be mapped:
    each of them has an instance of its own.

    :param key: The beginning of the key.
    :param task_id: Id of the block's create task, with those of its task groups.
    """
    # None of the last three can hold a slash, so that no two blocks have one key.
    return f"{key}/{{{{ ti.run_id }}}}/{{{{ ti.dag_id }}}}/{task_id}/{{{{ ti.map_index }}}}"


def count_the_work(create: BaseOperator, delete: BaseOperator, task_id: str) -> None:
    """Let the delete wait for all tasks of the work, and let a failure of any of them fail the run.

    Airflow judges a run by its last tasks. A teardown counts as a last task if its failure shall fail the
    run, and then the work before it no longer counts. So failed work and a successful delete would make a
    successful run. So would a failed task of which a later one takes no notice (``all_done``), a task after
    it that another one skips, and a DAG with ``fail_fast``, which skips what comes after a failed task.
    Nothing skips a teardown. So the additional task is a teardown that looks up the states.

    Both teardowns wait for each task of the work, and not only for the last ones: a last task need not wait
    for all tasks before it (``one_success``; or one that cannot run because one of two has failed), and the
    other tasks still use the instance. The delete also waits for other teardowns of the block, which may use
    it as well.

    :param create: The set-up task.
    :param delete: The teardown.
    :param task_id: Id of the additional task, without those of its task groups.
    """
    # More than what lies between the two: Airflow puts no delete behind a teardown of the work, nor behind a
    # task that only such a teardown follows. What is made after the block does not exist yet.
    after = {delete.task_id, *delete.get_flat_relative_ids(upstream=False)}
    tasks = [task for task in create.get_flat_relatives(upstream=False) if task.task_id not in after]
    users = sorted(tasks, key=lambda task: task.task_id)
    # A teardown that the delete waits for is no last task any more, so its failure must count here.
    judged = [task for task in users if not task.is_teardown or task.on_failure_fail_dagrun]
    if judged:
        judge = FailAfterFailedWork(task_id=task_id)
        judge.as_teardown(setups=create, on_failure_fail_dagrun=True)
        judge.set_upstream(judged)
    delete.set_upstream([task for task in users if task not in delete.upstream_list])


class FailAfterFailedWork(BaseOperator):
    """Fail if a task before this one failed. Airflow runs it in each case, because it is a teardown."""

    ui_color = "#d5ecf6"

    def execute(self, context: Context) -> None:
        """Look up the states of the tasks just before this one: those of its own copy in a mapped group.

        :raises AirflowFailException: One of them failed.
        """
        ti: Any = context["ti"]
        own = {} if ti.map_index is None or ti.map_index < 0 else {"map_index": ti.map_index}
        states = ti.get_task_states(
            dag_id=ti.dag_id, task_ids=sorted(self.upstream_task_ids), run_ids=[ti.run_id], **own
        )
        failed = sorted(task for task, state in states.get(ti.run_id, {}).items() if state in _FAILED)
        if failed:
            raise AirflowFailException(f"The work failed: {', '.join(failed)}.")
