"""What the tests of waiting share: a look at the loop and at the wire, and platform secrets that rotate."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from airflow_provider_cloudelements.sandbox import Sandbox
from airflow_provider_cloudelements.triggers import hub
from airflow_provider_cloudelements.triggers.instances import CloudElementsInstanceTrigger
from tests.support.relay import Relay

CONN_ID = "cloudelements_default"
VARIABLE = "AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT"


def trigger_of(
    until: str = "exists", poll_interval: float = 0.05, **target: Any
) -> CloudElementsInstanceTrigger:
    """Return a trigger that waits for an instance: by id, or by a tag."""
    named = {"name": str(target), **target}
    return CloudElementsInstanceTrigger(
        cloudelements_conn_id=CONN_ID, until=until, poll_interval=poll_interval, **named
    )


async def event_of(trigger: CloudElementsInstanceTrigger) -> dict[str, Any]:
    """Run a trigger as the triggerer does, and return the payload of its one event."""
    events = [event.payload async for event in trigger.run()]
    await trigger.cleanup()
    (payload,) = events
    return payload


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  nothing tells when
            await asyncio.sleep(0.01)


def put_forward(seconds: float) -> None:
    """Put the loop's clock forward: what is due within this time is due now."""
    loop = asyncio.get_running_loop()
    shown = loop.time
    loop.time = lambda: shown() + seconds  # type: ignore[method-assign]


async def between_ticks() -> None:
    """Wait until no poll of this loop is in the midst of a tick."""
    polls = hub.current_hub()._polls
    await until(lambda: all(each._ended > each._began for each in polls.values()))


@contextlib.asynccontextmanager
async def running(*triggers: CloudElementsInstanceTrigger) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Run triggers in tasks that are cancelled at the end."""
    tasks = [asyncio.create_task(event_of(each)) for each in triggers]
    try:
        yield tasks
    finally:
        await end(*tasks)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks as the triggerer does."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Gaps:
    """Watches how long the event loop does not get round to a task that wakes every ten milliseconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.01)
            self.longest = max(self.longest, time.perf_counter() - began - 0.01)


@contextlib.asynccontextmanager
async def watching() -> AsyncIterator[Gaps]:
    """Measure the gaps of a block."""
    gaps = Gaps()
    task = asyncio.create_task(gaps.watch())
    await asyncio.sleep(0.05)
    gaps.longest = 0.0
    try:
        yield gaps
    finally:
        await end(task)


async def unblocked(measure: Callable[[], Awaitable[float]]) -> bool:
    """Measure up to three times: on a busy machine another process's turn looks like a blocked loop."""
    for _ in range(3):
        if (longest := await measure()) < 0.2:
            break
    print(f"longest gap of the loop: {longest * 1000:.1f} ms")
    return longest < 0.2


class Rotating(Relay):
    """A platform whose User secret can be rotated: before the sandbox, which knows one for good."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.secret = "Rotating/User+Secret/0=="
        self.refused = 0
        super().__init__(sandbox)

    def rotate(self) -> str:
        """Refuse the secret of until now; return the new one."""
        number = int(self.secret[-3]) + 1
        self.secret = f"Rotating/User+Secret/{number}=="
        return self.secret

    def connection(self, **extra: Any) -> dict[str, Any]:
        """Return a connection with the secret of now."""
        known = self.sandbox.connection(**extra)
        return {**known, "host": self.url, "password": self.secret}

    def _forward(self, method: str, path: str, body: bytes, authorization: str) -> tuple[int, bytes]:
        if f"User {self.secret}," not in authorization:
            self.refused += 1
            return 401, json.dumps({"requestId": "0" * 24, "message": "No valid User"}).encode()
        known = authorization.replace(self.secret, self.sandbox.user_secret)
        return super()._forward(method, path, body, known)


@contextlib.contextmanager
def rotating(sandbox: Sandbox) -> Iterator[Rotating]:
    relay = Rotating(sandbox)
    try:
        yield relay
    finally:
        relay.close()


def polls() -> int:
    """Return how many polls run on this loop."""
    return len(hub.current_hub())
