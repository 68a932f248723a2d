"""``@task.virtualenv`` with the package in its requirements: the function uses Airflow's connections."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.installed_wheel import build
from tests.support.platform import Person

pytestmark = [pytest.mark.processes, pytest.mark.nightly]

ROOT = Path(__file__).resolve().parents[2]
NAME = "airflow-provider-cloudelements"
DAG_ID, TASK = "of_a_virtualenv", "names"
SOURCE = """
from airflow.sdk import DAG, task

with DAG("of_a_virtualenv", schedule=None):

    # In place of the index, which brings Airflow and the rest: what this Airflow has.
    @task.virtualenv(
        requirements=[{wheel!r}],
        system_site_packages=False,
        index_urls=[],
        pip_install_options=["--no-deps"],
        env_vars={{"PYTHONPATH": {packages!r}}},
    )
    def names():
        import airflow_provider_cloudelements
        from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook

        with CloudElementsHook().get_conn() as client:
            found = [each.name for each in client.instances.list(tags=["venv"])]
        return {{"file": airflow_provider_cloudelements.__file__, "names": found}}

    names()
"""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(process=True) as running:
        yield running


@pytest.fixture(scope="module")
def airflow(start_airflow, sandbox, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dags")
    wheel = build("wheel", tmp_path_factory.mktemp("wheel"))
    packages = sysconfig.get_path("purelib")
    text = SOURCE.format(wheel=f"{NAME} @ {wheel.as_uri()}", packages=packages)
    (folder / "virtualenv.py").write_text(text)
    running = start_airflow(folder)
    running.add_connection("cloudelements_default", **sandbox.connection())
    return running


def test_a_virtualenv_with_the_package_reads_connections_of_airflow(airflow, sandbox):
    Person(sandbox).make("basic", name="In an environment", tags=["venv"])
    run_id = airflow.trigger(DAG_ID)
    state = airflow.wait_run(DAG_ID, run_id, timeout=240)
    assert state == "success", airflow.task_log(DAG_ID, run_id, TASK)[-6000:]
    found = airflow.xcom(DAG_ID, run_id, TASK)
    assert found["names"] == ["In an environment"]
    assert not Path(found["file"]).is_relative_to(ROOT)
