"""The setting of the benchmarks: a private Airflow, a sandbox in its own process, fresh child processes."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client import CloudElementsClient
    from airflow_provider_cloudelements.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent

#: An element that logs in with the credentials in its configuration, so that a create needs no consent.
ELEMENT = "closeio"
CONFIGURATION = {"username": "benchmark", "password": "not-a-real-password"}

#: Distributions whose versions belong to the figures.
DISTRIBUTIONS = (
    "apache-airflow",
    "apache-airflow-providers-http",
    "apache-airflow-providers-dbt-cloud",
    "apache-airflow-providers-airbyte",
    "requests",
)


@contextlib.contextmanager
def private_airflow() -> Iterator[None]:
    """Give this process and its children an empty Airflow folder, and a place for bytecode.

    If PYTHONDONTWRITEBYTECODE is set, each child would compile this project again, but not the rivals, which
    an installer has compiled. So all bytecode goes to one new folder, which the warm-up fills.
    """
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="cloudelements-bench-") as folder:
        for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
            del os.environ[name]
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ |= {
            "AIRFLOW_HOME": f"{folder}/airflow",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PYTHONPYCACHEPREFIX": f"{folder}/bytecode",
        }
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextlib.contextmanager
def served(**behaviour: Any) -> Iterator[tuple[Sandbox, CloudElementsClient]]:
    """Start a sandbox in its own process, and yield it with a client.

    :param behaviour: Settings of the sandbox's behaviour.
    """
    from airflow_provider_cloudelements.sandbox import Sandbox

    with Sandbox(process=True, **behaviour) as sandbox, client_of(sandbox.connection()) as client:
        yield sandbox, client


def client_of(
    connection: dict[str, Any], on_token: Callable[[str], None] | None = None
) -> CloudElementsClient:
    """Return a client for a sandbox.

    :param connection: The result of :meth:`Sandbox.connection`, or a copy of it in another process.
    :param on_token: Called with each token that the client hands out.
    """
    from airflow_provider_cloudelements.client import CloudElementsClient
    from airflow_provider_cloudelements.connections import ConnectionSettings

    return CloudElementsClient(
        ConnectionSettings(
            base_url=connection["host"],
            user_secret=connection["password"],
            organization_secret=connection["extra"]["organization_secret"],
        ),
        on_token=on_token,
    )


def api_url(sandbox: Sandbox, path: str) -> str:
    """Return the address of a call, for callers without the client."""
    return f"{sandbox.url}/elements/api-v2{path}"


def authorization(connection: dict[str, Any]) -> dict[str, str]:
    """Return the header that each call needs, for callers without the client."""
    organization = connection["extra"]["organization_secret"]
    return {"Authorization": f"User {connection['password']}, Organization {organization}"}


def child(module: str, *arguments: str) -> dict[str, Any]:
    """Run a module in a fresh process and return the JSON object that it prints as its last line.

    :param module: Its whole name.
    :param arguments: For its command line.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def resident() -> int:
    """Return the bytes of memory that this process has (Linux)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def most_resident() -> int:
    """Return the most bytes of memory that this process has had (Linux)."""
    # getrusage would count what the parent had before it started us.
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def installed(module: str) -> bool:
    """Return whether this process can import a rival, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def machine() -> str:
    """Return a description of the machine: cores, load and versions."""
    versions = []
    for name in DISTRIBUTIONS:
        with contextlib.suppress(PackageNotFoundError):
            versions.append(f"{name.removeprefix('apache-airflow-')} {version(name)}")
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    return f"{os.cpu_count()} cores, load {load}, Python {platform.python_version()}, {', '.join(versions)}"
