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
    """Let a failure of the work fail the run, too.

    Airflow judges a run by its last tasks. A teardown counts as a last task if its failure shall fail the
    run, and then the work before it no longer counts. Without another task after the work, failed work and a
    successful delete would make a successful run.

    A DAG with ``fail_fast`` skips what comes after a failed task, and skipped last tasks make a successful
    run. It does not skip a teardown. So the additional task is a teardown there.

    :param create: The set-up task.
    :param delete: The teardown.
    :param task_id: Id of the additional task, without those of its task groups.
    """
    work = [task for task in delete.upstream_list if task is not create]
    if not work:
        return
    dag = create.get_dag()
    if dag is not None and dag.fail_fast:
        judge = FailAfterFailedWork(task_id=task_id)
        judge.as_teardown(setups=create, on_failure_fail_dagrun=True)
        judge.set_upstream(work)
    elif delete.on_failure_fail_dagrun:
        from airflow.providers.standard.operators.empty import EmptyOperator

        EmptyOperator(task_id=task_id).set_upstream(work)


class FailAfterFailedWork(BaseOperator):
    """Fail if a task before this one failed. Airflow runs it in each case, because it is a teardown."""

    ui_color = "#d5ecf6"

    def execute(self, context: Context) -> None:
        """Look up the states of the tasks before this one.

        :raises AirflowFailException: One of them failed.
        """
        ti: Any = context["ti"]
        before = sorted(self.get_flat_relative_ids(upstream=True))
        states = ti.get_task_states(dag_id=ti.dag_id, task_ids=before, run_ids=[ti.run_id])
        failed = sorted(task for task, state in states.get(ti.run_id, {}).items() if state in _FAILED)
        if failed:
            raise AirflowFailException(f"The work failed: {', '.join(failed)}.")
