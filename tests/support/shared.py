"""One running Airflow and one sandbox for many test modules: each begins with both as good as new."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.local_airflow import PATIENCE, LocalAirflow
from tests.support.leaks import left_behind, search, secrets_in
from tests.support.receiving import key_of, receiving_airflow

#: By default Airflow takes a triggerer for dead after half a minute.
#: Paused DAGs are looked at for their watchers when their file is read again, which every module waits for.
IMPATIENT = {
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
}
#: The connection by which this Airflow receives deliveries: it stays.
WEBHOOK = "webhook_cloudelements"
#: Seconds in which whatever the last module left running has to end.
ENDING = 60.0 * PATIENCE
#: Seconds without a call that tell that nobody asks: tests ask every two seconds at most.
QUIET = 3.0


@dataclass
class Shared:
    """
    A running Airflow and a sandbox.

    :param airflow: receives deliveries at ``/webhooks/cloudelements``
    :param sandbox: in a process of its own
    :param folder: where the DAG files lie
    :param secrets: what must be found nowhere at the end, by name
    """

    airflow: LocalAirflow
    sandbox: Sandbox
    folder: Path
    secrets: dict[str, str] = field(default_factory=dict, repr=False)

    @contextlib.contextmanager
    def stage(self) -> Iterator[Shared]:
        """Give it to one module, and take away afterwards what the module brought."""
        self.airflow.check_alive()
        self.sandbox.reset()
        self.airflow.forget()
        yield self
        self.airflow.check_alive()
        for dag in list(self.airflow.pages("/dags", "dags")):
            if not dag["is_paused"]:
                self.airflow.rest("PATCH", f"/dags/{dag['dag_id']}", {"is_paused": True})
        # An asset's watcher stops when its paused DAG is parsed again: only then may the file go.
        self._wait_until_nobody_asks()
        for file in self.folder.glob("*.py"):
            file.unlink()
        for connection in list(self.airflow.pages("/connections", "connections")):
            if connection["connection_id"] != WEBHOOK:
                self.airflow.rest("DELETE", f"/connections/{connection['connection_id']}")

    def add_dags(self, sources: Mapping[str, str]) -> None:
        """
        Write DAG files.

        :param sources: the text of each by its name without ``.py``
        """
        for name, source in sources.items():
            (self.folder / f"{name}.py").write_text(source)

    def add_connections(self, connections: Mapping[str, Mapping[str, object]]) -> None:
        """
        Store connections, and search for their secrets at the end.

        :param connections: their fields by their ids
        """
        for conn_id, connection in connections.items():
            self.airflow.add_connection(conn_id, **connection)
        self.secrets |= secrets_in(connections)

    def _wait_until_nobody_asks(self) -> None:
        """What waits in the triggerer belongs to the last module until it has noticed."""
        deadline = time.monotonic() + ENDING
        before = -1
        while (asked := len(self.sandbox.requests())) != before:
            assert time.monotonic() < deadline, "somebody still asks the platform"
            before = asked
            time.sleep(QUIET)


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[Shared]:
    """
    Run both, and search at the end all that they leave behind for every module's secrets.

    :param folder: an empty folder for DAG files
    """
    with Sandbox(process=True) as sandbox, receiving_airflow(folder, environment=IMPATIENT) as airflow:
        running = Shared(airflow, sandbox, folder)
        running.secrets |= {
            "user secret": sandbox.user_secret,
            "organization secret": sandbox.organization_secret,
            "key of the webhook": key_of(airflow),
        }
        yield running
        found = search(left_behind(airflow, sandbox), running.secrets)
        assert not (places := sorted({(each.secret, each.place) for each in found})), places
