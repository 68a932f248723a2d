"""Creates from 32 threads of one process, against a server that takes 100 ms for each."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import requests

from benchmarks.figures import Bound, Figure, Ratio, in_turns
from benchmarks.setting import CONFIGURATION, ELEMENT, api_url, authorization, served

SUMMARY = "500 creates, 32 at once, server delay 100 ms"

CREATES = 500
AT_ONCE = 32
DELAY = 0.1
#: Creates a second that the delay alone allows: 320.
ALLOWED = AT_ONCE / DELAY
AGAINST_DELAY = Bound(0.9)
#: The same bound relative to bare threads: on a quiet machine they reach 0.96 of what the delay allows.
AGAINST_BARE = Bound(0.94)


def run(quick: bool) -> list[Figure]:
    """Measure both in turns. A busy machine slows both, and the second and third figure show it."""
    with contestants() as runners:
        rates = in_turns(runners, 3 if quick else 11)
    ours, bare = rates["ours"], rates["bare"]
    what = f"{CREATES} creates, {AT_ONCE} at once"
    delay = f"what the delay allows: {ALLOWED:.0f}/s"
    return [
        Figure(
            what,
            f"{statistics.median(ours):.0f}/s",
            delay,
            Ratio.of(ours, [ALLOWED] * len(ours)),
            AGAINST_DELAY,
        ),
        Figure(
            what,
            f"{statistics.median(ours):.0f}/s",
            f"bare threads: {statistics.median(bare):.0f}/s",
            Ratio.of(ours, bare),
            AGAINST_BARE,
        ),
        Figure(
            "for comparison: bare threads",
            f"{statistics.median(bare):.0f}/s",
            delay,
            Ratio.of(bare, [ALLOWED] * len(bare)),
        ),
    ]


@contextlib.contextmanager
def contestants() -> Iterator[dict[str, Callable[[], float]]]:
    """Start the sandbox; yield functions that make all creates once and return the creates a second."""
    numbers = itertools.count()
    with served(create_delay=DELAY) as (sandbox, client):
        url = api_url(sandbox, "/instances")
        header = authorization(sandbox.connection())
        local = threading.local()
        sessions: list[requests.Session] = []

        def ours() -> None:
            client.instances.create(
                element=ELEMENT, name=f"instance {next(numbers)}", configuration=CONFIGURATION
            )

        def bare() -> None:
            session: requests.Session | None = getattr(local, "session", None)
            if session is None:
                session = local.session = requests.Session()
                session.headers.update(header)
                sessions.append(session)
            answer = session.post(
                url,
                json={
                    "element": {"key": ELEMENT},
                    "name": f"instance {next(numbers)}",
                    "configuration": CONFIGURATION,
                },
                timeout=60,
            )
            answer.raise_for_status()
            assert answer.json()["token"]

        def turn(create: Callable[[], None]) -> float:
            sandbox.reset()
            begin = time.perf_counter()
            # Fresh threads need fresh sessions and connections. The figure includes the time to make them.
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for done in [pool.submit(create) for _ in range(CREATES)]:
                    done.result()
            rate = CREATES / (time.perf_counter() - begin)
            assert len(sandbox.instances()) == CREATES
            while sessions:
                sessions.pop().close()
            return rate

        yield {"ours": lambda: turn(ours), "bare": lambda: turn(bare)}
