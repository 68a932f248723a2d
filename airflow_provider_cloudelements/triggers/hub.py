"""Poll once for all waiters in this process that want the same kind of thing on one connection.

A thousand deferred tasks that wait for an instance cost one list call a tick, not a thousand. There is one
hub for each running event loop and one asyncio task for each connection and kind of wait. Both go when the
last waiter leaves. A :class:`Kind` decides what to ask, and which answer goes to which waiter. The hub does
the rest, in the same way for all kinds:

- Pace: the hub looks at the shortest interval that a waiter asks for, but at least :data:`FLOOR` apart. A new
  waiter has its first look within :data:`GATHER`, together with all others that came meanwhile. A tick begins
  after the last one has ended.
- Passing faults: they fail no waiter. The hub logs them once in the triggerer's own log, and once more when
  they are over.
- Refused secrets (401): only these make the hub read the connection again, at that moment. It does not read
  the connection from time to time, so it does not notice a change that breaks nothing.
- Threads: HTTP runs in the hub's own threads, never in asyncio's default threads, which all code shares.

A task that serves many waiters must meet two conditions. It starts in an empty context, so that its log lines
do not go to the log of the first waiter: the triggerer routes lines by a context variable. Its threads end
soon after it, because the process joins them when it ends.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Self, TypeVar
from weakref import WeakKeyDictionary

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.compat import AirflowNotFoundException
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsError,
    CloudElementsTransportError,
)
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.triggers.account import CONCURRENCY, Account

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
#: Ticks in a row with refused secrets before the hub hands the error to its waiters.
REFUSALS = 10
#: Waiters woken between two turns of the event loop.
CHUNK = 50

_Look = TypeVar("_Look")
_News = TypeVar("_News")
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Answer(Generic[_Look, _News]):
    """Hold the answer of a tick to one waiter.

    :param waiter: The waiter.
    :param news: What :meth:`Waiter.news` returns; if it is an exception, that method raises it.
    """

    waiter: Waiter[_Look, _News]
    news: _News | Exception


class Kind(ABC, Generic[_Look, _News]):
    """Define a kind of wait: what a tick asks, and which answer goes to which waiter.

    One object serves one poll, from its first waiter to its last. It may keep what it learns from tick to
    tick. Only one thread at a time uses it.
    """

    #: Name of what the waiters wait for, in messages.
    name: ClassVar[str]

    @abstractmethod
    def ask(
        self, account: Account, waiters: Sequence[Waiter[_Look, _News]]
    ) -> Iterator[Sequence[Answer[_Look, _News]]]:
        """Ask for all waiters. This runs in a thread, and does all parsing, matching and sorting there.

        :param account: The account to ask.
        :param waiters: The waiters. Their ``look`` says what they want; the kind may use their ``note``.
        :return: Answers, as soon as there are some: the hub hands them out between the steps. A waiter
            without an answer waits on.
        :raises CloudElementsError: The whole tick failed. A failure that concerns one waiter alone is an
            answer to it. If such a failure may pass, the method raises it after it has asked for all others.
        """


class Waiter(Generic[_Look, _News]):
    """Wait in the hub. A waiter is registered from the beginning of a ``with`` block to its end.

    The block's end removes it also after an exception.

    :param hub: The hub.
    :param conn_id: The connection's id.
    :param kind: The kind of wait.
    :param look: What to look for, in the form of the kind.
    :param interval: Seconds between two looks.
    """

    __slots__ = ("_conn_id", "_hub", "_kind", "_news", "_poll", "_waking", "interval", "look", "note")

    def __init__(
        self, hub: Hub, conn_id: str, kind: type[Kind[_Look, _News]], look: _Look, interval: float
    ) -> None:
        self.look = look
        self.interval = interval
        #: What the kind remembers about this waiter from tick to tick.
        self.note: Any = None
        self._hub = hub
        self._conn_id = conn_id
        self._kind = kind
        self._poll: _Poll | None = None
        self._news: list[_News | Exception] = []
        self._waking: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        self._poll = self._hub._poll_of(self._conn_id, self._kind)
        self._poll.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Stop waiting. The last waiter to leave ends the poll."""
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.remove(self)

    async def news(self) -> _News:
        """Return the news of the next answer that was not taken yet.

        :raises CloudElementsError: The wait has failed.
        :raises AirflowNotFoundException: There is no such connection.
        """
        while not self._news:
            self._waking = asyncio.get_running_loop().create_future()
            try:
                await self._waking
            finally:
                self._waking = None
        news = self._news.pop(0)
        if isinstance(news, Exception):
            raise news
        return news

    async def call(self, work: Callable[[Account], _Found]) -> _Found:
        """Run a function in the hub's threads, with its connection: for a waiter that catches up by itself.

        :param work: The function. It must not use :meth:`Account.each`, because it runs in the same threads.
        :return: Its result.
        :raises CloudElementsError: A call failed. After a 401 the next tick reads the connection again.
        """
        if self._poll is None:
            raise RuntimeError("only a waiter that is registered may call")
        return await self._poll.call(work)

    def _tell(self, news: _News | Exception) -> None:
        self._news.append(news)
        if self._waking is not None and not self._waking.done():
            self._waking.set_result(None)


class Hub:
    """Hold all polls of one event loop."""

    def __init__(self) -> None:
        self._polls: dict[tuple[str, type[Kind[Any, Any]]], _Poll] = {}

    def __len__(self) -> int:
        """Return the number of running polls."""
        return len(self._polls)

    def waiter(
        self, conn_id: str, kind: type[Kind[_Look, _News]], look: _Look, interval: float
    ) -> Waiter[_Look, _News]:
        """Return a waiter, registered once its ``with`` block begins.

        :param conn_id: Connection of type ``cloudelements``.
        :param kind: The kind of wait.
        :param look: What to look for.
        :param interval: Seconds between two looks; other waiters may make them more frequent.
        """
        return Waiter(self, conn_id, kind, look, interval)

    def _poll_of(self, conn_id: str, kind: type[Kind[Any, Any]]) -> _Poll:
        key = (conn_id, kind)
        if key not in self._polls:
            self._polls[key] = _Poll(conn_id, kind(), lambda: self._polls.pop(key, None))
        return self._polls[key]


_HUBS: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub() -> Hub:
    """Return the hub of the running event loop."""
    return _HUBS.setdefault(asyncio.get_running_loop(), Hub())


class _Poll:
    """Poll for one connection and kind, from the first waiter to the last.

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
        self._connected = asyncio.Event()
        self._account: Account | None = None
        #: When the last tick began and ended, by the loop's clock; at first, when the poll began.
        self._began = self._ended = self._loop.time()
        #: When the time for new waiters to gather ends; ``None`` when there are none.
        self._newcomers_due: float | None = None
        #: Earliest time of the next tick, by an answer's Retry-After.
        self._not_before = 0.0
        self._refused = 0
        self._troubled = False
        self._over = False
        self._ticker = ThreadPoolExecutor(1, thread_name_prefix="cloudelements-hub-tick")
        self._callers = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="cloudelements-hub-call")
        self._task = asyncio.create_task(
            self._run(), name=f"cloudelements-hub {conn_id} {kind.name}", context=contextvars.Context()
        )

    # -- the waiters ----------------------------------------------------------------------------------------

    def add(self, waiter: Waiter[Any, Any]) -> None:
        hurries = not self._paces or waiter.interval < min(self._paces)
        self._waiters[waiter] = None
        self._paces[waiter.interval] += 1
        if self._newcomers_due is None:
            self._newcomers_due = self._loop.time() + GATHER
            hurries = True
        if hurries:
            self._changed.set()

    def remove(self, waiter: Waiter[Any, Any]) -> None:
        if waiter not in self._waiters:
            return
        del self._waiters[waiter]
        self._paces[waiter.interval] -= 1
        if not self._paces[waiter.interval]:
            del self._paces[waiter.interval]
        if not self._waiters:
            self._end()
            self._task.cancel()

    async def call(self, work: Callable[[Account], _Found]) -> _Found:
        await self._connected.wait()
        if self._account is None or self._over:
            # The poll has failed, and so has the caller's wait: its news holds the reason.
            raise CloudElementsTransportError("The poll is over.", sent=False)
        return await self._loop.run_in_executor(self._callers, work, self._account)

    # -- the task -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            try:
                await self._connect(await self._settings())
            except (CloudElementsError, AirflowNotFoundException) as error:
                await self._fail(error)
            while not self._over:
                await self._pause()
                await self._tick()
        except Exception as error:
            # A bug of ours: the waiters must not wait forever.
            log.exception("The poll for %s of connection %r failed.", self._kind.name, self._conn_id)
            failure = RuntimeError(f"the poll for {self._kind.name} failed ({type(error).__name__})")
            failure.__cause__ = error
            await self._fail(failure)
        finally:
            if not self._over:
                # Something else cancelled the poll. Waiters that were not cancelled must not wait forever.
                self._end()
                for waiter in self._waiters:
                    waiter._tell(RuntimeError(f"the poll for {self._kind.name} was cancelled"))
            self._connected.set()
            if self._account is not None:
                self._account.close()
            for pool in (self._ticker, self._callers):
                # Queued calls fail at the closed account, at no cost. If they were cancelled here, no thread
                # would take them up. Then as_completed() would not notice, and the tick's thread would wait
                # forever.
                pool.shutdown(wait=False)

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._forget()

    async def _settings(self) -> ConnectionSettings:
        """Read the connection, now."""
        # Shielded: if nothing takes an answer off the pipe to the triggerer's supervisor, Airflow 3.1
        # reads it as the answer to the next question, and the triggerer ends.
        reading = asyncio.ensure_future(CloudElementsHook(self._conn_id).aget_settings())
        settings = await asyncio.shield(reading)
        patience = min(settings.request_timeout, PATIENCE)
        return replace(settings, request_timeout=patience, max_retries=0)

    async def _connect(self, settings: ConnectionSettings) -> None:
        if self._account is not None:
            self._account.close()
        # The hub hands out no tokens, so there is nothing to mask.
        self._account = Account(CloudElementsClient(settings), self._callers)
        self._connected.set()

    async def _reconnect(self) -> bool:
        """Read the connection again; return whether it has changed."""
        try:
            settings = await self._settings()
        except Exception as error:
            # Any error may be over by the next tick. If not, the platform refuses that tick again.
            self._warn(f"its secrets are refused, and it could not be read again ({type(error).__name__}).")
            return False
        if self._account is not None and settings == self._account.settings:
            return False
        await self._connect(settings)
        return True

    async def _pause(self) -> None:
        """Sleep until the next tick is due."""
        while (left := self._due() - self._loop.time()) > 0:
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
        if newcomers is not None and not self._refused:
            due = min(due, newcomers)
        return max(due, earliest)

    async def _tick(self) -> None:
        self._newcomers_due = None
        self._began = self._loop.time()
        fault = await self._ask()
        if isinstance(fault, CloudElementsAuthError) and await self._reconnect():
            fault = await self._ask()
        self._ended = self._loop.time()
        if fault is None:
            self._refused = 0
            if self._troubled:
                self._troubled = False
                log.info("Connection %r, waiting for %s: it works again.", self._conn_id, self._kind.name)
            return
        self._refused += isinstance(fault, CloudElementsAuthError)
        if self._refused >= REFUSALS or not (fault.retryable or isinstance(fault, CloudElementsAuthError)):
            await self._fail(fault)
            return
        asked = getattr(fault, "retry_after", None) or 0.0
        self._not_before = self._ended + min(asked, LONGEST_PAUSE)
        self._warn(str(fault))

    async def _ask(self) -> CloudElementsError | None:
        """Ask for all waiters and hand out the answers; return the error, if there was one."""
        if self._account is None:
            raise AssertionError("a tick comes after the connection")  # pragma: no cover
        try:
            answers = self._kind.ask(self._account, tuple(self._waiters))
            # Step by step in the thread, so that no waiter waits for another's slow instance.
            while (some := await self._loop.run_in_executor(self._ticker, next, answers, None)) is not None:
                await self._hand_out((each.waiter, each.news) for each in some)
        except CloudElementsError as error:
            return error
        return None

    async def _fail(self, error: Exception) -> None:
        """End the poll, and hand the error to all waiters."""
        self._end()
        await self._hand_out([(waiter, error) for waiter in self._waiters])

    async def _hand_out(self, answers: Iterable[tuple[Waiter[Any, Any], Any]]) -> None:
        """Hand out answers, a few between two turns of the loop, because each one makes its waiter run."""
        for count, (waiter, news) in enumerate(answers, 1):
            if waiter in self._waiters:
                waiter._tell(_own(news) if isinstance(news, Exception) else news)
            if count % CHUNK == 0:
                await asyncio.sleep(0)

    def _warn(self, problem: str) -> None:
        """Log trouble when it begins, and not at each tick."""
        if not self._troubled:
            self._troubled = True
            log.warning(
                "Connection %r, waiting for %s: %s The waiters (%d) go on waiting.",
                self._conn_id,
                self._kind.name,
                problem,
                len(self._waiters),
            )


def _own(error: Exception) -> Exception:
    """Return a waiter's own copy of an error, without the frames in which a token may lie.

    If a thousand tasks raised the same object, its traceback would grow by the frames of all of them.
    """
    if not isinstance(error, CloudElementsError | AirflowNotFoundException):
        return error
    return copy.copy(error)
