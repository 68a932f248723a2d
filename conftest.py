"""
Gives each test process a private Airflow folder, before anything imports Airflow.

At the top of the project, because pytest reads this file before any other and before it collects a test.
"""

from __future__ import annotations

import atexit
import base64
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from scripts.local_airflow import without_airflow

ROOT = Path(__file__).resolve().parent


def _private_airflow() -> None:
    """Point Airflow at a new folder and a new SQLite file, whatever the caller's environment says."""
    owner = os.getpid()
    home = Path(tempfile.mkdtemp(prefix="airflow-tests-"))

    def remove() -> None:
        # A test may fork; the child must not remove its parent's folder.
        if os.getpid() == owner:
            shutil.rmtree(home, ignore_errors=True)

    atexit.register(remove)
    for name in os.environ.keys() - without_airflow(os.environ).keys():
        del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        # dag.test() runs only what lies in the DAGs folder.
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


_private_airflow()
