"""What an Airflow reads whose connections lie in a secrets backend alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: Creates an instance as a task would; the fields of its vendor are in a connection of the second type.
_PROGRAM = """
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from tests.support.context import context_of

made = CloudElementsCreateInstanceOperator(
    task_id="create",
    element="closeio",
    instance_name="From a backend",
    cloudelements_conn_id="platform_of_backend",
    element_conn_id="element_of_backend",
    events_enabled=False,
).execute(context_of())
print(f"<made {made['id']}>")
"""
PASSWORD = "of/a+backend="


def connections(platform: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """
    Return the two connections that the program needs.

    :param platform: the fields of the connection to the sandbox
    """
    element = {"conn_type": "cloudelements_element", "login": "ada", "password": PASSWORD}
    element["extra"] = {"element": "closeio", "authentication": "basic"}
    return {"platform_of_backend": dict(platform), "element_of_backend": element}


def create_by(backend: str, **arguments: Any) -> str:
    """
    Create an instance in a process of its own, and return what it printed.

    :param backend: path of the class of the secrets backend
    :param arguments: what the backend is made with
    """
    settings = {
        "AIRFLOW__SECRETS__BACKEND": backend,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(arguments),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout
