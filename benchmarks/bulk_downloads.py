"""The result of a bulk job as a file: on the disk against ``curl -o``, and on S3 against s3fs."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from airflow_provider_cloudelements.sandbox import Sandbox
from benchmarks.figures import Bound, Figure, Ratio
from benchmarks.setting import (
    CONFIGURATION,
    ELEMENT,
    api_url,
    authorization,
    child,
    installed,
    most_resident,
    served,
)

SUMMARY = "the result of a bulk job, streamed into a file"

OBJECT = "contacts"
#: Bytes of the files, full and quick: on the disk and on S3.
DISK, STORE = (5_000_000_000, 100_000_000), (1_000_000_000, 50_000_000)
CURL, S3FS = "curl -o", "s3fs.open, written from a bare stream"
AGAINST_CURL = AGAINST_S3FS = Bound(0.9)
#: Most bytes of the task's process, all that it has loaded included.
PEAK = 250_000_000
WITHIN_PEAK = Bound(1.0, most=True)
_BUCKET = "bench"
_SECRET = "not-a-real-secret"  # noqa: S105  # moto takes any
#: Records that tell how long a row is.
_SAMPLE = 100_000
_PART = 256 * 1024


@dataclass(frozen=True)
class Source:
    """A completed job of a sandbox.

    :param sandbox: The sandbox.
    :param instance_id: The instance's id.
    :param url: Address of the job's result.
    :param headers: Headers of a call for it.
    :param size: Bytes of the result.
    :param sha256: The SHA-256 of them.
    """

    sandbox: Sandbox
    instance_id: int
    url: str
    headers: dict[str, str]
    size: int
    sha256: str


def run(quick: bool) -> list[Figure]:
    """Measure."""
    rounds = 2 if quick else 3
    figures = []
    with source(DISK[quick]) as disk, tempfile.TemporaryDirectory(prefix="cloudelements-bench-") as folder:
        figures += _figures(disk, "a file", CURL, AGAINST_CURL, compared(disk, Path(folder), rounds))
    if not installed("moto") or not installed("s3fs"):
        figures.append(Figure("to S3", "", f"{S3FS}: not installed", None, AGAINST_S3FS))
        return figures
    with source(STORE[quick]) as some, s3() as endpoint:
        figures += _figures(some, "S3", S3FS, AGAINST_S3FS, compared_on_s3(some, endpoint, rounds))
    return figures


def _figures(
    what: Source, where: str, rival: str, bound: Bound, found: dict[str, list[dict[str, Any]]]
) -> list[Figure]:
    rates = {name: [what.size / 1e6 / each["seconds"] for each in turns] for name, turns in found.items()}
    peak = max(each["peak"] for each in found["ours"])
    name = f"{what.size / 1e9:.2f} GB to {where}"
    return [
        Figure(
            f"{name}, MB a second",
            f"{statistics.median(rates['ours']):.0f}",
            f"{rival}: {statistics.median(rates[rival]):.0f}",
            Ratio.of(rates["ours"], rates[rival]),
            bound,
        ),
        Figure(
            f"{name}: most memory of the process",
            f"{peak / 1e6:.0f} MB",
            f"allowed: {PEAK / 1e6:.0f} MB",
            Ratio.of([peak], [PEAK]),
            WITHIN_PEAK,
        ),
    ]


@contextlib.contextmanager
def source(size: int) -> Iterator[Source]:
    """Start a sandbox with a completed job.

    :param size: Bytes of its result, about.
    """
    with served() as (sandbox, client):
        made = client.instances.create(element=ELEMENT, name="one", configuration=CONFIGURATION)
        bulk = client.instance(made.id, made.token).bulk
        words = authorization(sandbox.connection())["Authorization"]
        headers = {"Authorization": f"{words}, Element {made.token}", "Accept": "text/csv"}

        def result(count: int) -> tuple[str, int]:
            sandbox.set_records(made.id, OBJECT, count)
            url = api_url(sandbox, f"/bulk/{bulk.start_download(OBJECT, file_format='csv')}/{OBJECT}")
            with requests.get(url, headers=headers, stream=True, timeout=60) as answer:
                answer.raise_for_status()
                return url, int(answer.headers["Content-Length"])

        url, sample = result(_SAMPLE)
        url, exact = result(size * _SAMPLE // sample)
        digest = hashlib.sha256()
        with requests.get(url, headers=headers, stream=True, timeout=60) as answer:
            while data := answer.raw.read(_PART):
                digest.update(data)
        yield Source(sandbox, made.id, url, headers, exact, digest.hexdigest())


def compared(what: Source, folder: Path, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Download to the disk with the operator and with curl, in turns.

    :param what: The job.
    :param folder: An empty folder.
    :param rounds: Number of rounds.
    :return: The turns of each: their seconds, and the peak of the operator's process.
    """
    target = folder / "result.csv"

    def checked(made: dict[str, Any]) -> dict[str, Any]:
        assert target.stat().st_size == what.size
        target.unlink()
        return made

    def by_curl() -> dict[str, Any]:
        headers = [word for name, value in what.headers.items() for word in ("-H", f"{name}: {value}")]
        begin = time.perf_counter()
        subprocess.run(["curl", "-sS", "--fail", "-o", str(target), *headers, what.url], check=True)  # noqa: S607
        return checked({"seconds": time.perf_counter() - begin})

    return _in_turns({"ours": lambda: checked(ours(what, f"file://{target}")), CURL: by_curl}, rounds)


def compared_on_s3(what: Source, endpoint: str, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Download to S3 with the operator, and with a bare stream and s3fs, in turns.

    :param what: The job.
    :param endpoint: Address of the store.
    :param rounds: Number of rounds.
    """
    target = f"s3://{_BUCKET}/result.csv"

    def bare() -> dict[str, Any]:
        return child(__name__, "bare", endpoint, target, what.url, json.dumps(what.headers))

    return _in_turns({"ours": lambda: ours(what, target, endpoint), S3FS: bare}, rounds)


def ours(what: Source, path: str, endpoint: str = "") -> dict[str, Any]:
    """Download with the operator in a process of its own; return its seconds, its peak and what it returns.

    :param what: The job, of whose kind the operator starts another one.
    :param path: The file.
    :param endpoint: Address of S3, if it is there.
    """
    made = child(
        __name__, "ours", endpoint, path, json.dumps(what.sandbox.connection()), str(what.instance_id)
    )
    assert (made["bytes"], made["sha256"]) == (what.size, what.sha256)
    return made


def _in_turns(
    contestants: dict[str, Callable[[], dict[str, Any]]], rounds: int
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name in sorted(contestants, reverse=bool(number % 2)):
            found[name].append(contestants[name]())
    return found


@contextlib.contextmanager
def s3() -> Iterator[str]:
    """Start moto's server with a bucket in a process of its own, and yield its address."""
    with subprocess.Popen(
        [sys.executable, "-m", __name__, "s3"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


# -- in a process of its own --------------------------------------------------------------------------------


def _store(endpoint: str) -> Any:
    # No instance of before: s3fs would list the bucket from its memory.
    return importlib.import_module("s3fs").S3FileSystem(
        key="not-a-real-key", secret=_SECRET, endpoint_url=endpoint, skip_instance_cache=True
    )


def _in_ours(endpoint: str, path: str, connection: str, instance_id: str) -> None:
    from airflow.sdk.io import attach

    from airflow_provider_cloudelements.operators.bulk import CloudElementsDownloadBulkOperator

    os.environ["AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT"] = connection
    if endpoint:
        attach("s3", fs=_store(endpoint))
    operator = CloudElementsDownloadBulkOperator(
        task_id="download", instance_id=instance_id, object_name=OBJECT, path=path, deferrable=False
    )
    begin = time.perf_counter()
    made = operator.execute({})
    print(json.dumps({"seconds": time.perf_counter() - begin, "peak": most_resident(), **made}))


def _in_bare(endpoint: str, path: str, url: str, headers: str) -> None:
    store = _store(endpoint)
    begin = time.perf_counter()
    with (
        requests.get(url, headers=json.loads(headers), stream=True, timeout=60) as answer,
        store.open(path, "wb") as file,
    ):
        shutil.copyfileobj(answer.raw, file, _PART)
    print(json.dumps({"seconds": time.perf_counter() - begin}))


def _in_s3() -> None:
    server = importlib.import_module("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    _store(f"http://127.0.0.1:{port}").mkdir(_BUCKET)
    print(port, flush=True)
    time.sleep(24 * 3600)


_MODES: dict[str, Callable[..., None]] = {"ours": _in_ours, "bare": _in_bare, "s3": _in_s3}


if __name__ == "__main__":
    _MODES[sys.argv[1]](*sys.argv[2:])
