"""Poll for one connection and kind of wait, from the first waiter to the last.

- Pace: the poll looks at the shortest interval that a waiter asks for, but at least :data:`FLOOR` apart. A
  new waiter has its first look within :data:`GATHER`, together with all others that came meanwhile. A tick
  begins after the last one has ended.
- Catching up: waiters that would make a tick long for all others share one reading beside the ticks. Those
  that come meanwhile share the next one.
- Passing faults: they fail no waiter. The poll logs them once in the triggerer's own log, and once more when
  they are over.
- Other faults: they end the wait of those who asked for what failed, and of nobody else.
- Refused secrets (401): only these make the poll read the connection again, at that moment. It does not read
  the connection from time to time, so it does not notice a change that breaks nothing.
- Threads: HTTP runs in the poll's own threads, never in asyncio's default threads, which all code shares.

A task that serves many waiters must meet two conditions. It starts in an empty context, so that its log lines
do not go to the log of the first waiter: the triggerer routes lines by a context variable. Its threads end
soon after it, because the process joins them when it ends.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.compat import AirflowNotFoundException
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.exceptions import CloudElementsAuthError, CloudElementsError
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.triggers.account import CONCURRENCY, Account, NobodyWaits
from airflow_provider_cloudelements.triggers.waiting import Answer, Kind, Waiter

log = logging.getLogger(__name__)

#: Shortest time between two ticks, in seconds.
FLOOR = 1.0
#: Seconds in which new waiters gather for their first look.
GATHER = 1.0
#: Longest wait for one answer, in seconds, even if the connection allows more: the next tick asks again, and
#: a thread that waits delays the end of the process.
PATIENCE = 10.0
#: Longest pause that an answer's Retry-After can cause, in seconds.
LONGEST_PAUSE = 300.0
#: Ticks in a row with refused secrets before the poll hands the error to its waiters.
REFUSALS = 10
#: Waiters woken between two turns of the event loop.
CHUNK = 50

_Found = TypeVar("_Found")
_Waiters = Sequence[Waiter[Any, Any]]
_Ask = Callable[[Account, _Waiters], Iterator[Sequence[Answer[Any, Any]]]]


@dataclass(slots=True)
class _Lane:
    """Hold what is known of one series of looks: the ticks, or the readings that catch up.

    :param thread: The thread of its looks.
    :param refused: How many of its last looks in a row were refused.
    :param troubled: Whether the log has said that its last look failed.
    """

    thread: ThreadPoolExecutor
    refused: int = 0
    troubled: bool = False


class ConnectionPoll:
    """Poll for one connection and kind. Make it on the event loop; it starts at once.

    :param conn_id: Connection of type ``cloudelements``.
    :param kind: The kind of wait.
    :param forget: Removes the poll from the hub, so that the next waiter starts a new one.
    """

    def __init__(self, conn_id: str, kind: Kind[Any, Any], forget: Callable[[], object]) -> None:
        self._conn_id = conn_id
        self._kind = kind
        self._forget = forget
        self._waiters: dict[Waiter[Any, Any], None] = {}
        self._paces: Counter[float] = Counter()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._account: Account | None = None
        self._reconnecting = asyncio.Lock()
        #: When the last tick began and ended, by the loop's clock; at first, when the poll began.
        self._began = self._ended = self._loop.time()
        #: When the time for new waiters to gather ends; ``None`` when there are none.
        self._newcomers_due: float | None = None
        #: Earliest time of the next tick, by an answer's Retry-After.
        self._not_before = 0.0
        self._over = False
        self._ticks = _Lane(_threads("tick"))
        self._catch_ups = _Lane(_threads("behind"))
        self._callers = _threads("call", CONCURRENCY)
        self._workers = _threads("work")
        #: The reading that catches up, its waiters, and whether others wait for the next one.
        self._catching: asyncio.Task[None] | None = None
        self._caught: frozenset[Waiter[Any, Any]] = frozenset()
        self._more_behind = False
        self._task = self._start(self._run())

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        name = f"cloudelements-hub {self._conn_id} {self._kind.name}"
        return asyncio.create_task(coroutine, name=name, context=contextvars.Context())

    # -- the waiters ----------------------------------------------------------------------------------------

    def add(self, waiter: Waiter[Any, Any]) -> None:
        """Wait for a waiter, from now on."""
        hurries = not self._paces or waiter.interval < min(self._paces)
        self._waiters[waiter] = None
        self._paces[waiter.interval] += 1
        if self._newcomers_due is None:
            self._newcomers_due = self._loop.time() + GATHER
            hurries = True
        if hurries:
            self._changed.set()

    def remove(self, waiter: Waiter[Any, Any]) -> None:
        """Wait for it no more. Without a waiter the poll ends."""
        if waiter not in self._waiters:
            return
        del self._waiters[waiter]
        self._paces[waiter.interval] -= 1
        if not self._paces[waiter.interval]:
            del self._paces[waiter.interval]
        if not self._waiters:
            self._end()
            self._task.cancel()

    async def work(self, work: Callable[[], _Found]) -> _Found:
        """Run a function that sends no calls in a thread. A waiter may not know yet that the poll is over.

        :param work: The function.
        """
        if not self._over:
            return await self._loop.run_in_executor(self._workers, work)
        pool = _threads("work")
        try:
            return await self._loop.run_in_executor(pool, work)
        finally:
            pool.shutdown(wait=False)

    # -- the task -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            try:
                self._connect(await self._settings())
            except (CloudElementsError, AirflowNotFoundException) as error:
                await self._fail(error)
            while not self._over:
                await self._pause()
                if not self._over:
                    await self._tick()
        except Exception as error:
            await self._fail(self._mistake(error))
        finally:
            if not self._over:
                # Something else cancelled the poll. Waiters that were not cancelled must not wait forever.
                self._end()
                for waiter in self._waiters:
                    waiter.tell(RuntimeError(f"the poll for {self._kind.name} was cancelled"))
            if self._account is not None:
                self._account.close()
            for pool in (self._ticks.thread, self._catch_ups.thread, self._callers, self._workers):
                # Queued calls fail at the closed account, at no cost. If they were cancelled here, no thread
                # would take them up. Then as_completed() would not notice, and the tick's thread would wait
                # forever.
                pool.shutdown(wait=False)

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._forget()
            self._changed.set()

    async def _settings(self) -> ConnectionSettings:
        """Read the connection, now."""
        # Shielded: if nothing takes an answer off the pipe to the triggerer's supervisor, Airflow 3.1
        # reads it as the answer to the next question, and the triggerer ends.
        reading = asyncio.ensure_future(CloudElementsHook(self._conn_id).aget_settings())
        settings = await asyncio.shield(reading)
        patience = min(settings.request_timeout, PATIENCE)
        return replace(settings, request_timeout=patience, max_retries=0)

    def _connect(self, settings: ConnectionSettings) -> None:
        if self._account is not None:
            self._account.close()
        # The hub hands out no tokens, so there is nothing to mask.
        self._account = Account(CloudElementsClient(settings), self._callers)

    def _connected(self) -> Account:
        if self._account is None:
            raise AssertionError("a look comes after the connection")  # pragma: no cover
        return self._account

    async def _reconnect(self, refused: Account) -> bool:
        """Read the connection again; return whether it has changed.

        :param refused: The account whose secrets are refused.
        """
        async with self._reconnecting:
            if self._account is not refused:
                return True  # the other lane was here before
            try:
                settings = await self._settings()
            except Exception as error:
                # Any error may be over by the next tick. If not, the platform refuses that tick again.
                problem = f"its secrets are refused, and it could not be read again ({type(error).__name__})."
                self._warn(self._ticks, problem)
                return False
            if self._over or settings == refused.settings:
                return False
            self._connect(settings)
            return True

    async def _pause(self) -> None:
        """Sleep until the next tick is due."""
        while not self._over and (left := self._due() - self._loop.time()) > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                pass  # the tick is due, unless something has changed just now

    def _due(self) -> float:
        newcomers = self._newcomers_due
        earliest = max(self._ended + FLOOR, self._not_before)
        due = self._began + max(FLOOR, min(self._paces, default=FLOOR))
        # While secrets are refused, new waiters do not hurry the tick: each tick uses up one of the REFUSALS.
        if newcomers is not None and not self._ticks.refused and not self._catch_ups.refused:
            due = min(due, newcomers)
        return max(due, earliest)

    async def _tick(self) -> None:
        self._newcomers_due = None
        self._began = self._loop.time()
        waiters = [waiter for waiter in self._waiters if waiter not in self._caught]
        behind = frozenset(self._kind.behind(waiters))
        now = [waiter for waiter in waiters if waiter not in behind]
        # While the ticks are refused, a reading beside them would be refused as well.
        self._catch_up([] if now and self._ticks.refused else [each for each in waiters if each in behind])
        if now:
            await self._look(self._ticks, self._kind.ask, now)
        self._ended = self._loop.time()

    def _catch_up(self, behind: _Waiters) -> None:
        """Start a reading for the waiters that are behind, unless one is under way."""
        self._more_behind = bool(behind) and self._catching is not None
        if behind and self._catching is None:
            self._caught = frozenset(behind)
            self._catching = self._start(self._catching_up(behind))

    async def _catching_up(self, behind: _Waiters) -> None:
        lane = self._catch_ups
        try:
            well = await self._look(lane, self._kind.catch_up, behind)
            if well and self._more_behind:
                # Waiters that came meanwhile do not wait for their interval as well.
                self._newcomers_due = self._loop.time()
                self._changed.set()
        finally:
            self._catching, self._caught = None, frozenset()
            if not any(waiter.waits for waiter in behind):
                lane.refused, lane.troubled = 0, False

    # -- a look ---------------------------------------------------------------------------------------------

    async def _look(self, lane: _Lane, ask: _Ask, waiters: _Waiters) -> bool:
        """Ask for some waiters, and hand out the answers; return whether all went well."""
        account = self._connected()
        try:
            fault = await self._ask(lane, ask(account, waiters))
            if _is_refusal(fault) and await self._reconnect(account):
                account = self._connected()
                fault = await self._ask(lane, ask(account, waiters))
        except Exception as error:
            failure = self._mistake(error)
            await self._hand_out([(waiter, failure) for waiter in waiters])
            return False
        if self._over or account is not self._account or isinstance(fault, NobodyWaits):
            return False  # it was broken off here, which is no fault of the platform's
        await self._judge(lane, fault, waiters)
        return fault is None

    async def _ask(
        self, lane: _Lane, answers: Iterator[Sequence[Answer[Any, Any]]]
    ) -> CloudElementsError | None:
        """Hand out the answers of a look; return the error, if there was one."""
        try:
            # Step by step in the thread, so that no waiter waits for another's slow instance.
            # A reading that catches up may be under way when the poll ends, and with it the threads.
            while not self._over and (
                (some := await self._loop.run_in_executor(lane.thread, next, answers, None)) is not None
            ):
                await self._hand_out((each.waiter, each.news) for each in some)
        except CloudElementsError as error:
            return error
        return None

    async def _judge(self, lane: _Lane, fault: CloudElementsError | None, waiters: _Waiters) -> None:
        """Decide what the outcome of a look means for the waiters."""
        if fault is None:
            self._ticks.refused = self._catch_ups.refused = 0
            if lane.troubled:
                lane.troubled = False
                log.info("Connection %r, waiting for %s: it works again.", self._conn_id, self._kind.name)
            return
        if _is_refusal(fault):
            lane.refused += 1
            if lane.refused >= REFUSALS:
                await self._fail(fault)
                return
        else:
            lane.refused = 0
            if not fault.retryable:
                await self._hand_out([(waiter, fault) for waiter in waiters])
                return
        asked = getattr(fault, "retry_after", None) or 0.0
        self._not_before = max(self._not_before, self._loop.time() + min(asked, LONGEST_PAUSE))
        self._warn(lane, str(fault))

    async def _fail(self, error: Exception) -> None:
        """End the poll, and hand the error to all waiters."""
        self._end()
        await self._hand_out([(waiter, error) for waiter in self._waiters])

    async def _hand_out(self, answers: Iterable[tuple[Waiter[Any, Any], Any]]) -> None:
        """Hand out answers, a few between two turns of the loop, because each one makes its waiter run."""
        for count, (waiter, news) in enumerate(answers, 1):
            if waiter in self._waiters:
                waiter.tell(_own(news) if isinstance(news, Exception) else news)
            if count % CHUNK == 0:
                await asyncio.sleep(0)

    def _mistake(self, error: Exception) -> RuntimeError:
        """Log a bug of ours, and return what its waiters hear, because they must not wait forever."""
        log.error("The poll for %s of connection %r failed.", self._kind.name, self._conn_id, exc_info=error)
        return RuntimeError(
            f"the poll for {self._kind.name} failed ({type(error).__name__}); the triggerer's log says more"
        )

    def _warn(self, lane: _Lane, problem: str) -> None:
        """Log trouble when it begins, and not at each look."""
        if not lane.troubled:
            lane.troubled = True
            log.warning(
                "Connection %r, waiting for %s: %s The waiters (%d) go on waiting.",
                self._conn_id,
                self._kind.name,
                problem,
                len(self._waiters),
            )


def _threads(name: str, count: int = 1) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix=f"cloudelements-hub-{name}")


def _is_refusal(fault: CloudElementsError | None) -> bool:
    """Return whether the platform refuses the connection's secrets."""
    return isinstance(fault, CloudElementsAuthError) and fault.concerns_account


def _own(error: Exception) -> Exception:
    """Return a waiter's own copy of an error, without the frames in which a token may lie.

    If a thousand tasks raised the same object, its traceback would grow by the frames of all of them.
    """
    try:
        own = copy.copy(error)
    except Exception:
        own = error
    if own is error:  # one that cannot be copied
        return RuntimeError(f"the wait failed ({type(error).__name__})")
    return own.with_traceback(None)
