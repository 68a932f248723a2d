"""What is left of a run of ``dag.test()``, and what this line of Airflow can keep."""

from __future__ import annotations


class Run:
    """A finished run: states, XComs and the rendered fields as the database has them."""

    def __init__(self, dag_run):
        from airflow.models.renderedtifields import RenderedTaskInstanceFields
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        self.state = str(dag_run.state)
        self.tasks = {
            (ti.task_id, ti.map_index): (str(ti.state), ti.try_number) for ti in dag_run.get_task_instances()
        }
        #: What Airflow shows in place of a copy's index.
        self.names = {
            (ti.task_id, ti.map_index): ti.rendered_map_index
            for ti in dag_run.get_task_instances()
            if ti.map_index >= 0
        }
        with create_session() as session:
            query = select(RenderedTaskInstanceFields).filter_by(run_id=dag_run.run_id, dag_id=dag_run.dag_id)
            self.rendered = {
                (row.task_id, row.map_index): row.rendered_fields for row in session.scalars(query)
            }
            query = select(XComModel).filter_by(run_id=dag_run.run_id, dag_id=dag_run.dag_id)
            self.xcoms = {
                (row.task_id, row.map_index, row.key): XComModel.deserialize_value(row)
                for row in session.scalars(query)
            }

    def states(self):
        return {task: state for task, (state, _) in self.tasks.items()}


def use_dags_of(folder: str) -> None:
    """Let ``dag.test()`` run the DAGs of a folder, in a program that shares its database with these tests.

    By AIRFLOW__CORE__DAGS_FOLDER the program would serialize them in other words than the tests' own process.
    That makes further versions of the same DAGs, and SQLAlchemy warns of these in later tests.

    :param folder: The folder.
    """
    import airflow.serialization.serialized_objects  # noqa: F401  takes over the folder as it is before
    from airflow import settings

    settings.DAGS_FOLDER = folder


def keeps_state() -> bool:
    """Say whether this line of Airflow has state stores (3.3)."""
    try:
        import airflow.models.asset_state_store  # noqa: F401
    except ImportError:
        return False
    return True
