"""Uploads whose worker is killed at random moments: a later try ends with one job, and with each row once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.platform import client_of

ROOT = Path(__file__).resolve().parents[2]
ROWS = 20_000

pytestmark = [pytest.mark.nightly, pytest.mark.slow]


def begun(*arguments: str) -> subprocess.Popen[str]:
    """Start a worker, and return it when its work begins."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.support.uploading", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stdout is not None
    for line in worker.stdout:
        if line.strip() == "begins":
            return worker
    raise AssertionError("the worker ended before its work began")


@pytest.mark.parametrize("seed", range(20))
def test_a_killed_workers_job_is_gone_on_with(sandbox, person, tmp_path, seed):
    chance = random.Random(seed)  # noqa: S311
    number = person.make("basic")
    sandbox.configure(bulk_duration=1)
    content = "name,email\n" + "".join(f"N {each},n{each}@example.com\n" for each in range(ROWS))
    (tmp_path / "rows.csv").write_text(content)
    arguments = (str(number), f"file://{tmp_path}/rows.csv", str(tmp_path / "store.json"))
    for each in (1, 2):
        with begun(*arguments, str(each)) as worker:
            time.sleep(chance.uniform(0, 1.5))
            worker.kill()
    with begun(*arguments, "3") as worker:
        assert worker.stdout is not None
        *_, last = worker.stdout
    assert worker.returncode == 0
    done = json.loads(last)
    uploads = [job["id"] for job in sandbox.bulk_jobs() if job["direction"] == "UPLOAD"]
    assert uploads == [done["job_id"]]
    assert (done["rows"], done["records"]) == (ROWS, ROWS)
    with client_of(sandbox) as client:
        names = [row.get("name") for row in client.instance(number).records("/contacts", page_size=1000)]
    assert sum(str(name).startswith("N ") for name in names) == ROWS
