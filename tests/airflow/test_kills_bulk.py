"""Workers killed in real Airflow while they download in bulk: the right file at the end, and one job each."""

from __future__ import annotations

import hashlib
import random
import time
from pathlib import Path

import pytest
from airflow import __version__ as airflow_version

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.postgres import postgres
from tests.support.killing import kill_process_of, when_running
from tests.support.platform import Person
from tests.support.programs import needs_postgresql

pytestmark = [
    pytest.mark.processes,
    pytest.mark.nightly,
    pytest.mark.skipif(
        airflow_version.startswith(("3.1.", "3.2.")),
        reason="before 3.3, Airflow has no place in which a task's note of its job outlives a try",
    ),
]

KILLS, SEED = 20, 4711
#: A result of 300 MB, whose job takes two seconds: a kill meets the start, the wait or the transfer.
RECORDS, JOB_SECONDS, TRANSFER_SECONDS = 1_090_000, 2.0, 3.0
DAG_ID = "killed_download"
DAGS = """
from datetime import timedelta
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.bulk import CloudElementsDownloadBulkOperator

with DAG("killed_download", schedule=None, max_active_runs=4):
    CloudElementsDownloadBulkOperator(
        task_id="download",
        instance_id="{{ dag_run.conf['instance'] }}",
        object_name="contacts",
        path="file://{{ dag_run.conf['folder'] }}/{{ run_id }}.csv",
        poke_interval=1,
        deferrable=False,
        retries=3,
        retry_delay=timedelta(seconds=1),
    )
"""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(process=True, bulk_duration=JOB_SECONDS) as running:
        yield running


@pytest.fixture(scope="module")
def airflow(start_airflow, sandbox, tmp_path_factory):
    needs_postgresql()
    folder = tmp_path_factory.mktemp("dags")
    Path(folder / "killed.py").write_text(DAGS)
    # SQLite stays locked for others when tasks die in the midst of a write.
    with postgres() as address:
        running = start_airflow(folder, sql_alchemy_conn=address)
        running.add_connection("cloudelements_default", **sandbox.connection())
        yield running


def test_killed_downloads_end_with_the_right_file_and_no_second_job(airflow, sandbox, tmp_path):
    chance = random.Random(SEED)  # noqa: S311  moments, not secrets
    number = Person(sandbox).make("basic")
    sandbox.set_records(number, "contacts", RECORDS)
    conf = {"instance": number, "folder": str(tmp_path)}
    killed, runs, digests = 0, 0, set()
    while killed < KILLS and runs < 2 * KILLS:
        run_id = airflow.trigger(DAG_ID, conf, f"kill-{runs}")
        runs += 1
        ti = when_running(airflow, DAG_ID, run_id, "download")
        time.sleep(chance.uniform(0.2, JOB_SECONDS + TRANSFER_SECONDS))
        killed += kill_process_of(ti["id"])
        assert airflow.wait_run(DAG_ID, run_id, timeout=240) == "success"
        done = airflow.xcom(DAG_ID, run_id, "download", key="return_value")
        file = tmp_path / f"{run_id}.csv"
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        assert (done["sha256"], done["bytes"], done["rows"]) == (digest, file.stat().st_size, RECORDS)
        file.unlink()
        digests.add(digest)
        assert len(sandbox.bulk_jobs()) == runs
    left = sorted(each.name for each in tmp_path.iterdir())
    print(f"\n{runs} runs, {killed} of them killed, {len(left)} parts left, seed {SEED}")
    assert len(digests) == 1
    assert all(name.endswith(".part") for name in left)  # docs/files.md says how to remove them
    assert killed == KILLS, "too many tasks were over before they were killed"
