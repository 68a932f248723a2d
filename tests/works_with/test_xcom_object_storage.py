"""Airflow's XCom backend that keeps values in files: id and token go through it as through the database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.newest]

FOLDER = Path(__file__).resolve().parents[1] / "operators" / "dags"
#: Prints the state and the XComs of a run of ``heart_plain``, whose task ``use`` compares the token.
PROGRAM = """
import importlib.util, json, os, sys
from tests.support.runs import Run, use_dags_of
use_dags_of(os.path.dirname(sys.argv[1]))
spec = importlib.util.spec_from_file_location("heart_dags", sys.argv[1])
dags = importlib.util.module_from_spec(spec)
spec.loader.exec_module(dags)
done = Run(dags.plain.test(run_conf=json.loads(sys.stdin.read())))
print(f"<{done.state} {done.xcoms['use', -1, 'return_value']}>")
"""


def test_values_lie_in_files_and_tasks_read_them(airflow_database, cloudelements_sandbox, tmp_path):
    conf = {"codes": [cloudelements_sandbox.code() for _ in range(2)], "name": "A name"}
    conf |= dict.fromkeys(("password", "api_key", "api_secret", "signature", "realm"), "of/an+app=")
    settings = {
        "AIRFLOW__CORE__XCOM_BACKEND": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"file://{tmp_path}",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": "0",
        "AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT": json.dumps(cloudelements_sandbox.connection()),
        "PYTHONPATH": os.pathsep.join([str(FOLDER.parents[2]), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(FOLDER / "heart_dags.py")],
        input=json.dumps(conf),
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert "<success file://" in done.stdout, done.stdout[-5000:]  # the database has where the file is
    files = {file: json.loads(file.read_text()) for file in tmp_path.rglob("*") if file.is_file()}
    of_task = {
        name: [each for file, each in files.items() if file.parent.name == name] for name in ("create", "use")
    }
    assert of_task["use"] == [True]
    (made,) = (each for each in of_task["create"] if isinstance(each, dict) and "instance_key" in each)
    assert made["name"] == "A name"
    # Files keep what the task pushed in clear: its id, and its token of more than twenty signs.
    assert made["id"] in of_task["create"]
    assert [each for each in of_task["create"] if isinstance(each, str) and len(each) > 20]
