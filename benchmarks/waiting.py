"""A thousand tasks that wait in one triggerer, beside a thousand of the dbt-cloud provider.

Each side has a process with one event loop, which starts the triggers as Airflow's triggerer does, and a
server in another process. The server is the sandbox for ours, and for dbt-cloud a stub that answers "still
running". Both servers record their calls with the time.

dbt-cloud's ``DbtCloudRunJobTrigger`` is as installed, and needs no patch to reach a local port: its hook puts
the connection's tenant into ``https://{tenant}/api/v2/...``, where ``127.0.0.1:PORT`` is a tenant like any
other. The benchmark makes the stub's certificate at run time, for that address alone, and ``SSL_CERT_FILE``
makes aiohttp trust it. Two points favour dbt-cloud: it looks up no name, and the stub answers at once.

A figure of calls a minute counts from the first to the last look inside the measured window, so that it does
not matter how the window cuts the looks.

A full run of Python's garbage collector stops the process while it goes through everything that Airflow has
loaded, whatever causes it. Thousands of pings cause it, so the bound judges their gap without the collector's
pauses. Another figure shows the gap with them.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import importlib
import ipaddress
import json
import os
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.sandbox import Sandbox
from benchmarks.figures import Bound, Figure, Ratio
from benchmarks.setting import CONFIGURATION, ELEMENT, ROOT, installed, resident, served

SUMMARY = "triggers that wait on one event loop and one connection"

OURS = "ours"
DBT = "dbt-cloud"

#: Gap of the loop, in seconds: the default of ``[triggerer] blocked_main_thread_warning_threshold``.
THRESHOLD = 0.2
#: Pings at once, equal to the hub's CONCURRENCY. It is a copy, so that a change there shows here.
PINGS_AT_ONCE = 8
#: Seconds that each ping takes, so that the benchmark can count simultaneous pings.
PING_SECONDS = 0.05

AGAINST_DBT_CALLS = Bound(0.02, most=True)
AGAINST_DBT_MEMORY = Bound(1.0, most=True)
UNDER_THRESHOLD = Bound(1.0, most=True)
ONCE_A_LOOK = Bound(1.0, most=True)
AT_ONCE = Bound(1.0, most=True)

_CONNECTIONS = {OURS: "AIRFLOW_CONN_WAITING_OURS", DBT: "AIRFLOW_CONN_WAITING_DBT"}
#: An interval in seconds that is longer than any run. Such a trigger looks once and then only holds memory.
_NEVER = 3600.0
#: Threads that make the instances.
_MAKERS = 8
_DBT_MODULE = "airflow.providers.dbt.cloud.triggers.dbt"
_DBT_RUNNING, _DBT_SUCCESS = 3, 10


@dataclass(frozen=True)
class Scale:
    """How large the benchmark is.

    :param count: Triggers of each side.
    :param others: Further instances of the account. A look lists all of them.
    :param interval: Seconds between two looks, for both sides.
    :param looks: Length of the measured window, in intervals.
    :param warm: Seconds for which a first trigger runs before the measurement.
    """

    count: int
    others: int
    interval: float
    looks: int = 4
    warm: float = 4.0


#: An instance's id, and those of its bulk jobs: one for each trigger, and one for the warm-up.
Jobs = tuple[int, list[int]]

#: With our default interval.
FULL = Scale(count=1_000, others=1_000, interval=10.0)
QUICK = Scale(count=200, others=200, interval=2.0)


@dataclass(frozen=True)
class Waited:
    """The outcome of one side's wait.

    :param calls: Calls a minute.
    :param gap: Longest gap of the event loop while all triggers waited, in seconds.
    :param pause: Longest pause of Python's garbage collector in that time, in seconds. It stops the process.
    :param warnings: How often Airflow's own watchdog would have warned in that time.
    :param answered_gap: Longest gap, in seconds, from when the awaited state was there until all triggers had
        yielded their event.
    :param answered_warnings: The same watchdog's warnings in that time.
    :param net_gap: Longest gap of both times, without the collector's pauses, in seconds.
    :param grown: Bytes by which the process grew, for each trigger.
    :param busy: Processor time of the waiting process, in seconds a minute.
    :param idle_gap: Longest gap of an idle loop in another process while all triggers waited, in seconds: the
        machine's share of a gap.
    :param at_once: Most simultaneous calls that the server saw.
    :param a_look: Pings a look, for each existing instance.
    """

    calls: float
    gap: float
    pause: float
    warnings: int
    answered_gap: float
    answered_warnings: int
    net_gap: float
    grown: float
    busy: float
    idle_gap: float
    at_once: int = 0
    a_look: float = 0.0


def run(quick: bool) -> list[Figure]:
    """Measure."""
    scale = QUICK if quick else FULL
    ours = wait_for_missing(scale)
    dbt = wait_with_dbt(scale) if rival_installed() else None
    pinged = wait_for_ready(scale)
    weights = {OURS: weight_of_ours(scale)}
    if dbt is not None:
        with stub() as rival:
            weights[DBT] = _weight(DBT, scale, rival.environment)
    return _figures(scale, ours, pinged, dbt, weights)


def _figures(
    scale: Scale, ours: Waited, pinged: Waited, dbt: Waited | None, weights: dict[str, float]
) -> list[Figure]:
    waiting = f"{scale.count:,} wait, every {scale.interval:g} s"

    def against_dbt(
        what: str, value: Callable[[Waited], float], form: Callable[[float], str], bound: Bound | None = None
    ) -> Figure:
        mine = value(ours)
        if dbt is None:
            return Figure(what, form(mine), f"{DBT}: not installed", None, bound)
        theirs = value(dbt)
        ratio = Ratio.of([mine], [theirs]) if theirs else None
        return Figure(what, form(mine), f"{DBT}: {form(theirs)}", ratio, bound)

    def milliseconds(seconds: float) -> str:
        return f"{seconds * 1000:.0f} ms"

    def against_threshold(what: str, gap: float) -> Figure:
        limit = f"a triggerer's warning threshold: {milliseconds(THRESHOLD)}"
        return Figure(what, milliseconds(gap), limit, Ratio.of([gap], [THRESHOLD]), UNDER_THRESHOLD)

    figures = [
        against_dbt(
            f"{waiting}: calls a minute", lambda side: side.calls, lambda n: f"{n:,.0f}", AGAINST_DBT_CALLS
        ),
        against_threshold(f"{waiting}: longest gap of the loop", ours.gap),
        against_dbt("the same", lambda side: side.gap, milliseconds),
        Figure("for comparison: a loop with nothing to do, beside ours", "", milliseconds(ours.idle_gap)),
        against_threshold("all appear at once: longest gap", ours.answered_gap),
        against_dbt("the same", lambda side: side.answered_gap, milliseconds),
        against_dbt(
            "warnings of Airflow's watchdog, in all",
            lambda side: side.warnings + side.answered_warnings,
            lambda n: f"{n:.0f}",
        ),
        against_dbt("longest pause of Python's garbage collector", lambda side: side.pause, milliseconds),
        against_dbt(f"{waiting}: processor time a minute", lambda side: side.busy, lambda n: f"{n:.2f} s"),
        _memory(weights),
        against_dbt(
            "growth of the process, for each trigger",
            lambda side: side.grown / 1024,
            lambda n: f"{n:.1f} KiB",
        ),
        Figure(
            f"{scale.count:,} exist but are not ready: pings a look, for each",
            f"{pinged.a_look:.3f}",
            "one",
            Ratio.of([pinged.a_look], [1.0]),
            ONCE_A_LOOK,
        ),
        Figure(
            "the same: pings at once",
            f"{pinged.at_once}",
            f"allowed: {PINGS_AT_ONCE}",
            Ratio.of([pinged.at_once], [PINGS_AT_ONCE]),
            AT_ONCE,
        ),
        against_threshold("the same, and all ready at once: longest gap", pinged.net_gap),
        Figure(
            "the same, with Python's garbage collector",
            milliseconds(max(pinged.gap, pinged.answered_gap)),
            f"its longest pause while all wait: {milliseconds(pinged.pause)}",
        ),
        Figure("for comparison: a loop with nothing to do, beside that", "", milliseconds(pinged.idle_gap)),
    ]
    if dbt is not None:
        figures.append(Figure("for comparison: connections at once", "", f"{DBT}: {dbt.at_once:,}"))
    return figures


def _memory(weights: dict[str, float]) -> Figure:
    what = "traced memory of a trigger that waits"
    ours = f"{weights[OURS] / 1024:.1f} KiB"
    if DBT not in weights:
        return Figure(what, ours, f"{DBT}: not installed", None, AGAINST_DBT_MEMORY)
    return Figure(
        what,
        ours,
        f"{DBT}: {weights[DBT] / 1024:.1f} KiB",
        Ratio.of([weights[OURS]], [weights[DBT]]),
        AGAINST_DBT_MEMORY,
    )


# -- ours ---------------------------------------------------------------------------------------------------


def wait_for_missing(scale: Scale) -> Waited:
    """Let triggers wait for missing instances, then make all of them appear at once."""
    with served() as (sandbox, client):
        _make(client, scale.others, "other")

        def appear(go: Callable[[], None]) -> None:
            # Let the instances appear together: lists fail until the last one exists.
            sandbox.add_fault("status", method="GET", path="/instances", count=None)
            _make(client, scale.count, "waited")
            go()
            sandbox.clear_faults()

        return _wait_with_ours(scale, sandbox, "exists", appear)


class TooBusyError(RuntimeError):
    """The machine was too busy for a meaningful measurement."""


def wait_for_ready(scale: Scale) -> Waited:
    """Let triggers wait for existing instances whose vendor does not answer, then let the vendor answer."""
    with served() as (sandbox, client):
        _make(client, scale.others, "other")
        _make(client, scale.count, "waited")
        sandbox.add_fault("status", path="/ping", status=502, seconds=PING_SECONDS, count=None)

        def answer(go: Callable[[], None]) -> None:
            go()
            sandbox.clear_faults()

        with _peak_of(lambda: int(sandbox.counters()["running"])) as peak:
            waited = _wait_with_ours(scale, sandbox, "ready", answer)
        return Waited(**asdict(waited) | {"at_once": peak[0]})


def weight_of_ours(scale: Scale) -> float:
    """Return the bytes of memory of a trigger that waits."""
    with served() as (sandbox, client):
        _make(client, scale.others, "other")
        return _weight(OURS, scale, environment_of(sandbox))


def _make(client: CloudElementsClient, count: int, name: str) -> None:
    def create(number: int) -> None:
        client.instances.create(
            element=ELEMENT,
            name=f"{name} {number}",
            configuration=CONFIGURATION,
            tags=(_tag(name, number), "production"),
        )

    with ThreadPoolExecutor(_MAKERS) as pool:
        list(pool.map(create, range(count)))


def _tag(name: str, number: int) -> str:
    return f"{name}-{number}"


def environment_of(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment variables for a process that waits on our side."""
    return {_CONNECTIONS[OURS]: json.dumps(sandbox.connection())}


def _wait_with_ours(
    scale: Scale, sandbox: Sandbox, until: str, appear: Callable[[Callable[[], None]], None]
) -> Waited:
    window, answered = wait_for_all(OURS, scale, environment_of(sandbox), until, appear)
    return waited_of_ours(scale, sandbox, "/instances", window, answered)


def waited_of_ours(
    scale: Scale, sandbox: Sandbox, path: str, window: dict[str, Any], answered: dict[str, Any]
) -> Waited:
    """Return the outcome of our side's wait.

    :param scale: How large it was.
    :param sandbox: The server, which has recorded the calls.
    :param path: Path of the list with which a look begins.
    :param window: The first report of :func:`wait_for_all`.
    :param answered: The second one.
    :raises TooBusyError: Fewer than two looks fell into the window.
    """
    calls = [(datetime.datetime.fromisoformat(each["time"]).timestamp(), each) for each in sandbox.requests()]
    calls = [(when, each) for when, each in calls if window["begin"] <= when <= window["end"]]
    looks = [
        number
        for number, (_, each) in enumerate(calls)
        if each["path"] == path and "nextPage" not in each["query"]
    ]
    if len(looks) < 2:
        raise TooBusyError("fewer than two looks fell into the window: the machine was too busy to measure")
    first, last = looks[0], looks[-1]
    between = [each for _, each in calls[first:last]]
    return _waited(
        scale,
        window,
        answered,
        calls=60 * len(between) / (calls[last][0] - calls[first][0]),
        a_look=sum(each["path"] == "/ping" for each in between) / (len(looks) - 1) / scale.count,
    )


@contextlib.contextmanager
def _peak_of(now: Callable[[], int]) -> Iterator[list[int]]:
    """Poll a number in a thread; yield a list that holds the highest so far."""
    peak = [0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(PING_SECONDS / 2):
            peak[0] = max(peak[0], now())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


# -- dbt-cloud ----------------------------------------------------------------------------------------------


def wait_with_dbt(scale: Scale) -> Waited:
    """Let dbt-cloud's triggers wait for runs that go on, then let all of them end."""
    with stub() as rival:

        def succeed(go: Callable[[], None]) -> None:
            go()
            rival.child.go()
            rival.child.told()

        window, answered = wait_for_all(DBT, scale, rival.environment, "success", succeed)
        rival.child.go()
        seen = rival.child.told()
    rates = []
    for times in seen["calls"].values():
        times = [when for when in times if window["begin"] <= when <= window["end"]]
        rates.append(60 * (len(times) - 1) / (times[-1] - times[0]))
    # Take the mean of all triggers, not the median one: some may have waited longer than others.
    calls = statistics.fmean(rates) * scale.count
    return _waited(scale, window, answered, calls=calls, at_once=seen["at_once"])


@dataclass(frozen=True)
class Stub:
    """The server for dbt-cloud's trigger.

    :param child: Its process. The first ``go`` ends all runs. After the second it reports its calls.
    :param environment: Environment variables for the process that calls it.
    """

    child: _Child
    environment: dict[str, str]


@contextlib.contextmanager
def stub() -> Iterator[Stub]:
    """Start a server for dbt-cloud's trigger; yield it with the environment for its caller."""
    with tempfile.TemporaryDirectory(prefix="cloudelements-bench-") as folder:
        certificate, key = _certificate(Path(folder))
        with _child("stub", certificate=str(certificate), key=str(key)) as child:
            tenant = f"127.0.0.1:{child.told()['port']}"
            connection = {"conn_type": "dbt_cloud", "host": tenant, "login": "1", "password": "a-dbt-token"}
            yield Stub(child, {_CONNECTIONS[DBT]: json.dumps(connection), "SSL_CERT_FILE": str(certificate)})


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for the loopback address, and its key; return their files."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cloudelements benchmark")])
    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        # Python requires these of a root from 3.13 on.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


# -- either side --------------------------------------------------------------------------------------------


def rival_installed() -> bool:
    """Return whether dbt-cloud's provider is installed."""
    return installed(_DBT_MODULE.partition(".triggers")[0])


def wait_for_all(
    side: str,
    scale: Scale,
    environment: dict[str, str],
    until: str,
    appear: Callable[[Callable[[], None]], None],
    jobs: Jobs | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let all triggers wait, then make the awaited state appear.

    :param side: Whose triggers.
    :param scale: How large the wait is.
    :param environment: Environment variables for the process that waits.
    :param until: What our triggers wait for: the state of their instance, or ``job``.
    :param appear: Makes the state appear. It calls its argument at the moment from which the state counts.
    :param jobs: The jobs, if ``until`` is ``job``.
    :return: The waiting process's reports of the window and of the end.
    """
    with (
        _child("idle") as beside,
        _child(
            "wait",
            environment,
            side=side,
            until=until,
            count=scale.count,
            warm=scale.warm,
            interval=scale.interval,
            seconds=scale.interval * scale.looks,
            jobs=jobs,
        ) as child,
    ):
        child.told()
        beside.go()
        window = child.told()
        beside.go()
        window["idle_gap"] = beside.told()["gap"]
        appear(child.go)
        answered = child.told()
    if answered["succeeded"] != scale.count:
        raise RuntimeError(f"{side}: only {answered['succeeded']} of {scale.count} triggers succeeded")
    return window, answered


def _waited(scale: Scale, window: dict[str, Any], answered: dict[str, Any], **known: Any) -> Waited:
    return Waited(
        gap=window["gap"],
        net_gap=max(window["net_gap"], answered["net_gap"]),
        pause=window["pause"],
        warnings=window["warnings"],
        answered_gap=answered["gap"],
        answered_warnings=answered["warnings"],
        idle_gap=window["idle_gap"],
        grown=window["grown"] / scale.count,
        busy=60 * window["busy"] / (window["end"] - window["begin"]),
        **known,
    )


def _weight(side: str, scale: Scale, environment: dict[str, str]) -> float:
    with _child("weigh", environment, side=side, count=scale.count, warm=scale.warm) as child:
        return float(child.told()["held"]) / scale.count


class _Child:
    """A fresh process of this module, which exchanges lines with this one.

    :param process: The process.
    :param log: File for its errors and its log: a triggerer writes its log to files as well.
    """

    def __init__(self, process: subprocess.Popen[str], log: IO[str]) -> None:
        self._process = process
        self._log = log

    def told(self) -> dict[str, Any]:
        """Wait for its next report and return it."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._log.seek(0)
            raise RuntimeError(f"a child ended with exit code {code}:\n{self._log.read()[-4_000:]}")
        told: dict[str, Any] = json.loads(line)
        return told

    def go(self) -> None:
        """Let the process continue."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()


@contextlib.contextmanager
def _child(mode: str, environment: dict[str, str] | None = None, **options: Any) -> Iterator[_Child]:
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [sys.executable, "-m", __name__, mode, json.dumps(options)],
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield _Child(process, log)
        finally:
            process.terminate()


# -- in a process of its own --------------------------------------------------------------------------------


class _Trigger(Protocol):
    """The methods of a trigger that the triggerer uses."""

    def run(self) -> AsyncIterator[Any]:
        """Wait."""

    async def cleanup(self) -> None:
        """End."""


def _trigger(side: str, number: int, until: str, interval: float, jobs: Jobs | None = None) -> _Trigger:
    """Return a trigger, made as the triggerer does from the stored arguments."""
    if jobs is not None:
        from airflow_provider_cloudelements.triggers.bulk import CloudElementsBulkJobTrigger

        instance_id, ids = jobs
        return CloudElementsBulkJobTrigger(
            cloudelements_conn_id="waiting_ours",
            instance_id=instance_id,
            job_id=ids[number],
            poll_interval=interval,
            end_at=time.time() + 7 * 24 * 3600,
            own=True,
            began_at=time.time(),
        )
    if side == OURS:
        from airflow_provider_cloudelements.triggers.instances import CloudElementsInstanceTrigger

        tag = _tag("waited", number)
        return CloudElementsInstanceTrigger(
            cloudelements_conn_id="waiting_ours",
            name=f"tag {tag!r}",
            tag=tag,
            until=until,
            poll_interval=interval,
        )
    trigger_class = importlib.import_module(_DBT_MODULE).DbtCloudRunJobTrigger
    trigger: _Trigger = trigger_class(
        conn_id="waiting_dbt",
        run_id=number,
        end_time=time.time() + 7 * 24 * 3600,
        poll_interval=interval,
        account_id=None,
        hook_params={},
    )
    return trigger


async def _event_of(trigger: _Trigger) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    try:
        async for event in trigger.run():
            payload = event.payload
    finally:
        await trigger.cleanup()
    return payload


async def _started(
    side: str, count: int, until: str, interval: float, jobs: Jobs | None = None
) -> list[asyncio.Task[dict[str, Any]]]:
    """Start triggers as the triggerer does: all at once, with turns of the loop between them."""
    tasks = []
    for number in range(count):
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(_event_of(_trigger(side, number, until, interval, jobs))))
        await asyncio.sleep(0)
    return tasks


async def _warmed_up(side: str, seconds: float, jobs: Jobs | None = None) -> None:
    """Run one trigger for a while, so that the figures leave out what the first one loads and keeps."""
    task = asyncio.create_task(_event_of(_trigger(side, -1, "exists", _NEVER, jobs)))
    for _ in range(10):  # not one long sleep: an import blocks the loop
        await asyncio.sleep(seconds / 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.5)
    gc.collect()


class _Watch:
    """Measures the gaps of the event loop."""

    def __init__(self) -> None:
        self._tasks = [asyncio.create_task(self._gaps()), asyncio.create_task(self._warnings())]
        #: Seconds that the collector has taken so far, and when its current run began.
        self._paused = 0.0
        self._paused_at: float | None = None
        gc.callbacks.append(self._collector)
        self.begin()

    def begin(self) -> None:
        """Reset the figures."""
        self._longest = self._longest_net = self._longest_pause = 0.0
        self._warned = 0

    def seen(self) -> dict[str, Any]:
        """Return the figures since the last reset."""
        return {
            "gap": self._longest,
            "net_gap": self._longest_net,
            "pause": self._longest_pause,
            "warnings": self._warned,
        }

    def _collector(self, phase: str, _: dict[str, int]) -> None:
        """Time the garbage collector, in whichever thread it runs, because it holds Python's lock."""
        now = time.perf_counter()
        if phase == "start":
            self._paused_at = now
        elif self._paused_at is not None:
            self._longest_pause = max(self._longest_pause, now - self._paused_at)
            self._paused = self._paused_until(now)
            self._paused_at = None

    def _paused_until(self, now: float) -> float:
        """Return the seconds that the collector has taken, those of a run without a reported end too."""
        return self._paused + (0.0 if self._paused_at is None else now - self._paused_at)

    async def _gaps(self) -> None:
        while True:
            began = time.perf_counter()
            paused = self._paused_until(began)
            await asyncio.sleep(0.01)
            now = time.perf_counter()
            gap = now - began - 0.01
            self._longest = max(self._longest, gap)
            self._longest_net = max(self._longest_net, gap - (self._paused_until(now) - paused))

    async def _warnings(self) -> None:
        """Count as Airflow's ``block_watchdog`` does, which sleeps in the time that it measures."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.1)
            self._warned += time.monotonic() - began > THRESHOLD


async def _in_wait(tell: Callable[[Any], None], options: dict[str, Any]) -> None:
    side, count, interval, jobs = (options[name] for name in ("side", "count", "interval", "jobs"))
    await _warmed_up(side, options["warm"], jobs)
    before = resident()
    tasks = await _started(side, count, options["until"], interval, jobs)
    await asyncio.sleep(interval)
    tell({})
    watch = _Watch()
    begin, spent = time.time(), time.process_time()
    await asyncio.sleep(options["seconds"])
    tell(
        {
            "begin": begin,
            "end": time.time(),
            "busy": time.process_time() - spent,
            "grown": resident() - before,
            **watch.seen(),
        }
    )
    # A trigger that has ended by now has ended by mistake. The count below shows it.
    await asyncio.to_thread(sys.stdin.readline)
    watch.begin()
    payloads = await asyncio.gather(*tasks)
    tell({"succeeded": sum(each.get("status") == "success" for each in payloads), **watch.seen()})


async def _in_weigh(tell: Callable[[Any], None], options: dict[str, Any]) -> None:
    side = options["side"]
    await _warmed_up(side, options["warm"])
    tracemalloc.start()
    tasks = await _started(side, options["count"], "exists", _NEVER)
    # Wait until all triggers have looked and have freed the memory of that look.
    held: list[int] = []
    while len(held) < 6 or max(held[-6:]) > 1.01 * min(held[-6:]):
        await asyncio.sleep(1)
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
    assert not any(task.done() for task in tasks)
    tell({"held": held[-1]})


async def _in_idle(tell: Callable[[Any], None], options: dict[str, Any]) -> None:
    await asyncio.to_thread(sys.stdin.readline)
    watch = _Watch()
    await asyncio.to_thread(sys.stdin.readline)
    tell(watch.seen())


async def _in_stub(tell: Callable[[Any], None], options: dict[str, Any]) -> None:
    """Answer for dbt Cloud: all runs go on until a line arrives. After the next line, report the calls."""
    status = _DBT_RUNNING
    calls: dict[str, list[float]] = defaultdict(list)
    connected = at_once = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected, at_once
        connected += 1
        at_once = max(at_once, connected)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                # GET /api/v2/accounts/1/runs/17/ HTTP/1.1
                calls[head.split(b" ", 2)[1].decode().rstrip("/").rpartition("/")[2]].append(time.time())
                body = json.dumps({"data": {"status": status}})
                lines = ("HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}")
                writer.write("\r\n".join((*lines, "", body)).encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass  # the caller has left
        finally:
            connected -= 1
            writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options["certificate"], options["key"])
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, backlog=4096)
    tell({"port": server.sockets[0].getsockname()[1]})
    await asyncio.to_thread(sys.stdin.readline)
    status = _DBT_SUCCESS
    tell({})
    await asyncio.to_thread(sys.stdin.readline)
    calls.pop("-1", None)  # the warm-up's
    tell({"calls": calls, "at_once": at_once})


_MODES = {"wait": _in_wait, "weigh": _in_weigh, "idle": _in_idle, "stub": _in_stub}


def _main(mode: str, options: str) -> None:
    # A thousand connections are more than many systems allow at first.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # Everything else that this process prints goes to standard error.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(what: Any) -> None:
        print(json.dumps(what), file=out, flush=True)

    asyncio.run(_MODES[mode](tell, json.loads(options)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
