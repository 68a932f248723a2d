"""Kill an apply at random lines of the package, run it again, and look at the account.

``python -m tests.support.fleet_kills URL USER_SECRET ORGANIZATION_SECRET SEED COUNT`` kills ``COUNT`` of
them and prints how many it killed. It is a program, as a process with threads must not fork.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import airflow_provider_cloudelements
from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.client.tags import Identity
from airflow_provider_cloudelements.connections import ConnectionSettings, ElementSettings
from airflow_provider_cloudelements.fleet import Manifest, Plan, apply, plan, read_manifest
from tests.support.fleet import Connections, connection

PACKAGE = str(Path(airflow_provider_cloudelements.__file__).parent)
QUIET = {"events_enabled": False}
CONCURRENCY = 3


def before(number: int) -> Manifest:
    """Return what exists when the apply begins."""
    rows = [row(number, name) for name in "abcdefgh"]
    return manifest(number, rows)


def after(number: int) -> Manifest:
    """Return what shall exist: a change of each kind."""
    rows = [
        {**row(number, "a"), "name": f"Renamed {number}"},
        {**row(number, "moved"), "name": f"{number}-b", "moved_from": f"{number}-b"},
        {**row(number, "c"), "state": "disabled"},
        {"key": f"{number}-d", "state": "absent"},
        {**row(number, "e"), "element_conn_id": "pipe"},
        {**row(number, "f"), "element_conn_id": "rotated"},
        row(number, "g"),
        *[row(number, name) for name in ("new-1", "new-2", "new-3", "new-4")],
    ]
    return manifest(number, rows)  # h is pruned


def row(number: int, name: str) -> dict[str, Any]:
    return {"key": f"{number}-{name}", "name": f"{number}-{name}", "element_conn_id": "closeio_app"}


def manifest(number: int, rows: list[dict[str, Any]]) -> Manifest:
    whole = {"ownership_tag": f"fleet {number}", "defaults": QUIET, "instances": rows}
    return read_manifest(whole).check()


class Kills:
    """The account, and what one kill after another does to it."""

    def __init__(self, url: str, user_secret: str, organization_secret: str, seed: int) -> None:
        self.settings = ConnectionSettings(url, user_secret, organization_secret)
        self.chance = random.Random(seed)  # noqa: S311  places to kill at, not secrets
        self.connections = Connections(
            rotated=connection("second/pass="),
            pipe=ElementSettings("pipedrive", "custom", {"api.token": "pipe/token+="}, "pipe"),
        )

    def planned(self, number: int) -> Plan:
        return plan(self.client(), after(number), self.connections, prune=True)

    def client(self) -> CloudElementsClient:
        return CloudElementsClient(self.settings)

    def begin(self, number: int) -> Plan:
        """Make what exists, and plan."""
        client = self.client()
        first = plan(client, before(number), self.connections)
        assert apply(client, first, first.checksum, self.connections, concurrency=8).ok
        made = self.planned(number)
        assert made.counts == {
            **dict.fromkeys(("update", "move", "disable", "replace", "reauthenticate"), 1),
            "delete": 2,
            "create": 4,
        }, made.table()
        return made

    def apply(self, made: Plan) -> Any:
        force = ["updates", "deletes", *(each.force for each in made.violations)]
        return apply(
            self.client(),
            made,
            made.checksum,
            self.connections,
            force=force,
            concurrency=CONCURRENCY,
            settle_time=0.5,
        )

    def lines(self) -> int:
        """Return how many lines an apply runs."""
        made = self.begin(0)
        counted = [0]

        def count() -> None:
            counted[0] += 1

        _trace(count)
        assert self.apply(made).ok
        _trace(None)
        return counted[0]

    def kill(self, number: int, line: int) -> bool:
        """Kill an apply at a line, run it again, and check the account. Return whether it was killed."""
        made = self.begin(number)
        pid = os.fork()
        if pid == 0:
            left = [line]

            def die() -> None:
                left[0] -= 1
                if left[0] <= 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            _trace(die)
            self.apply(made)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status in (0, -signal.SIGKILL), status
        time.sleep(0.1)  # the calls that were under way end
        report = self.apply(made)
        assert report.ok, (line, report.markdown())
        again = self.planned(number)
        assert again.clean, (line, again.table())
        self._check(number, line)
        return status != 0

    def _check(self, number: int, line: int) -> None:
        tags = {Identity("", each.given["instance_key"]).key_tag for each in after(number).rows}
        tags |= {Identity("", f"{number}-{name}").key_tag for name in "bh"}
        there = Counter(tag for each in self.client().instances.list() for tag in each.tags if tag in tags)
        gone = {Identity("", f"{number}-{name}").key_tag for name in "bdh"}
        assert there == dict.fromkeys(tags - gone, 1), (line, there)


def _trace(on: Callable[[], None] | None) -> None:
    """Call a function before each line of the package, in all threads."""

    def on_line(_frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line" and on is not None:
            on()
        return on_line

    def on_call(frame: FrameType, _event: str, _argument: Any) -> Any:
        return on_line if frame.f_code.co_filename.startswith(PACKAGE) else None

    traced = None if on is None else on_call
    threading.settrace(traced)  # type: ignore[arg-type]  # None ends it
    sys.settrace(traced)


def main() -> None:
    url, user_secret, organization_secret, seed, count = sys.argv[1:]
    kills = Kills(url, user_secret, organization_secret, int(seed))
    lines = kills.lines()
    chosen = [kills.chance.randint(1, lines) for _ in range(int(count))]
    killed = sum(kills.kill(number, line) for number, line in enumerate(chosen, 1))
    sys.stdout.write(json.dumps({"lines": lines, "killed": killed}) + "\n")


if __name__ == "__main__":
    main()
