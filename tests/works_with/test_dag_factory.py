"""DAGs that dag-factory makes of YAML: operators by their dotted names, values between tasks by Jinja."""

from __future__ import annotations

import json

import pytest

from tests.support.runs import Run

pytestmark = [pytest.mark.airflow, pytest.mark.nightly]

#: Airflow takes for DAG files only those that hold the words dag and airflow.
LOADER = """
# DAGs for airflow
from pathlib import Path

from dagfactory import load_yaml_dags

load_yaml_dags(globals_dict=globals(), config_filepath=str(Path(__file__).with_name("made.yaml")))
"""
YAML = """
made_of_yaml:
  default_args: {{owner: tests, start_date: 2026-01-01}}
  schedule: null
  tasks:
    create:
      operator: airflow_provider_cloudelements.operators.instances.CloudElementsCreateInstanceOperator
      element: closeio
      instance_name: "{{{{ dag_run.conf['name'] }}}}"
      element_conn_id: closeio_login
      events_enabled: false
    delete:
      operator: airflow_provider_cloudelements.operators.instances.CloudElementsDeleteInstanceOperator
      instance_id: {instance_id}
      dependencies: [create]
"""


@pytest.fixture
def run(load_dags, cloudelements_sandbox, tmp_path, monkeypatch):
    """Give a function that runs the DAG of the YAML with an instance_id."""
    pytest.importorskip("dagfactory")
    from airflow import settings

    login = {"conn_type": "cloudelements_element", "login": "ada", "password": "of-a/vendor="}
    login["extra"] = {"element": "closeio", "authentication": "basic"}
    monkeypatch.setenv("AIRFLOW_CONN_CLOSEIO_LOGIN", json.dumps(login))
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(cloudelements_sandbox.connection()))
    monkeypatch.setattr(settings, "DAGS_FOLDER", str(tmp_path))

    def run_with(instance_id):
        (tmp_path / "made.yaml").write_text(YAML.format(instance_id=instance_id))
        (tmp_path / "made_of_yaml.py").write_text(LOADER)
        return Run(load_dags(tmp_path / "made_of_yaml.py").made_of_yaml.test(run_conf={"name": "Of YAML"}))

    return run_with


@pytest.mark.parametrize("key", ["['id']", ""], ids=["the id", "the whole return value"])
def test_dotted_operators_and_jinja_work(key, run, cloudelements_sandbox):
    done = run(f"\"{{{{ ti.xcom_pull('create'){key} }}}}\"")
    if key:
        assert done.state == "success", done.tasks
        assert done.xcoms["create", -1, "return_value"]["name"] == "Of YAML"
        assert cloudelements_sandbox.instances() == []
    else:  # A template makes a text of the dictionary.
        assert done.states() == {("create", -1): "success", ("delete", -1): "failed"}


@pytest.mark.parametrize("reference", ["+create", "create.output", "+create.output"])
def test_a_reference_to_another_task_stays_a_text_and_deletes_nothing(reference, run, cloudelements_sandbox):
    done = run(reference)
    assert done.states() == {("create", -1): "success", ("delete", -1): "failed"}
    assert len(cloudelements_sandbox.instances()) == 1
