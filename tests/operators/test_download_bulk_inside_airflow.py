"""Downloads by bulk jobs, by dag.test(): rendering, mapping, what Airflow stores, the next task."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.runs import Run, keeps_state

pytestmark = pytest.mark.airflow

FOLDER = Path(__file__).parent / "dags"


def test_files_arrive_and_nothing_secret_is_stored(
    load_dags, sandbox, element_connection, monkeypatch, tmp_path
):
    from airflow import settings

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))
    element_connection(login="ada", password="the-password", extra={"authentication": "basic"})
    dag = load_dags(FOLDER / "bulk_dags.py").bulk
    done = Run(dag.test(run_conf={"name": "A name not to show", "folder": f"file://{tmp_path}"}))
    assert done.state == "success", done.tasks
    told = done.xcoms["download", -1, "return_value"]
    assert sorted(told) == ["bytes", "job_id", "path", "rows", "sha256"]
    assert (told["path"], told["rows"]) == (f"file://{tmp_path}/leads.csv", 3)
    assert done.xcoms["lines", -1, "return_value"][0] == "id,name"
    for index, name in enumerate(("leads", "contacts")):
        assert done.xcoms["mapped", index, "return_value"]["path"] == f"file://{tmp_path}/{name}.jsonl"
        assert len((tmp_path / f"{name}.jsonl").read_text().splitlines()) == 3
    token = done.xcoms.pop(("create", -1, "token"))
    stored = json.dumps([list(done.rendered.values()), list(done.xcoms.values())], default=str)
    for secret in (token, "A name not to show", "select id from contacts"):
        assert secret not in stored
    if keeps_state():
        assert task_states("bulk") == {"download": {}, "mapped": {}}


def test_a_deferred_download_goes_on_with_its_rendered_fields(
    load_dags, sandbox, person, monkeypatch, tmp_path
):
    from airflow import settings

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))
    sandbox.configure(bulk_duration=3)
    dag = load_dags(FOLDER / "bulk_dags.py").bulk_deferred
    conf = {"instance": person.make("basic"), "folder": f"file://{tmp_path}", "name": "Not to show"}
    done = Run(dag.test(run_conf=conf))
    assert done.state == "success", done.tasks
    told = done.xcoms["deferred", -1, "return_value"]
    assert (told["path"], told["rows"]) == (f"file://{tmp_path}/deferred.csv", 3)
    assert done.xcoms["wait", -1, "return_value"]["status"] == "COMPLETED"
    assert len(sandbox.bulk_jobs()) == 1
    assert "Not to show" not in json.dumps(list(done.rendered.values()), default=str)


def test_an_upload_plain_mapped_and_deferred(load_dags, sandbox, person, monkeypatch, tmp_path):
    from airflow import settings

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))
    sandbox.configure(bulk_duration=2)
    dag = load_dags(FOLDER / "bulk_dags.py").bulk_upload
    number = person.make("basic")
    token = person.show(number)["token"]
    conf = {"instance": number, "folder": f"file://{tmp_path}", "token": token, "field": "id"}
    done = Run(dag.test(run_conf=conf))
    assert done.state == "success", done.tasks
    told = done.xcoms["sent", -1, "return_value"]
    assert (told["path"], told["rows"], told["records"], told["errors"]) == (
        f"file://{tmp_path}/contacts.csv",
        *(3, 3, 0),
    )
    assert told["sha256"] == done.xcoms["fetched", -1, "return_value"]["sha256"]
    assert (tmp_path / "errors.jsonl").read_bytes() == b""
    for index in range(2):
        assert done.xcoms["changed", index, "return_value"]["records"] == 3
    jobs = [each for each in sandbox.bulk_jobs() if each["direction"] == "UPLOAD"]
    assert [each["object"] for each in jobs].count("leads") == len(jobs) - 1 == 2
    stored = json.dumps([list(done.rendered.values()), list(done.xcoms.values())], default=str)
    assert token not in stored
    if keeps_state():
        kept = task_states("bulk_upload")
        assert set(kept) == {"fetched", "sent", "changed"}
        assert kept["sent"]["id"] == told["job_id"]
        assert not any(each in json.dumps(kept) for each in (token, "contacts.csv", "leads"))


def task_states(dag_id):
    """Return what the tasks of a DAG keep, by task."""
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(select(TaskStateStoreModel).filter_by(dag_id=dag_id))
        return {row.task_id: json.loads(row.value) for row in rows if row.key == "cloudelements_bulk_job"}
