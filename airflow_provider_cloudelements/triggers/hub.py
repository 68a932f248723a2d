"""The poll hub: one poll for all that wait in this process for the same kind of thing on one connection.

A thousand deferred tasks that wait for an instance cost one list call a tick, not a thousand. There is one
hub for each running event loop and one asyncio task for each connection and kind of wait; both go when the
last waiter leaves. What a kind asks for, and who gets which answer, is the business of its :class:`Kind`; the
hub does the rest, alike for all:

- the pace: the shortest interval of those who wait, at least :data:`FLOOR`. A newcomer has its first look
  within :data:`GATHER`, together with all who came meanwhile. A tick begins after the last one has ended.
- passing faults fail nobody. They are told once in the triggerer's own log, and once more when they are over.
- secrets that are refused (401) are the one reason to read the connection again, at that moment and not from
  time to time: a change that breaks nothing is not looked for.
- HTTP runs in threads of the hub's own, never in asyncio's default ones, which belong to everybody.

What must hold of a task that serves others: it starts in an empty context, so that its log lines do not go
to the log of whoever came first (the triggerer routes lines by a context variable), and its threads end soon
after it, because they are joined when the process ends.
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
#: Seconds in which newcomers gather for their first look.
GATHER = 1.0
#: Longest wait for one answer, in seconds, also where the connection allows more: the next tick asks again,
#: and a thread that waits holds up the end of the process.
PATIENCE = 10.0
#: Longest pause that an answer's Retry-After can bring about, in seconds.
LONGEST_PAUSE = 300.0
#: Ticks in a row whose secrets are refused, before those who wait are told.
REFUSALS = 10
#: Waiters woken between two turns of the event loop.
CHUNK = 50

_Look = TypeVar("_Look")
_News = TypeVar("_News")
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Answer(Generic[_Look, _News]):
    """What a tick has for one waiter.

    :param waiter: Whose it is.
    :param news: What :meth:`Waiter.news` returns; an exception is raised there instead.
    """

    waiter: Waiter[_Look, _News]
    news: _News | Exception


class Kind(ABC, Generic[_Look, _News]):
    """A kind of wait: what is asked in a tick, and which answer is whose.

    One object serves one poll, from its first waiter to its last, and may keep what it learns from tick to
    tick; it is only ever used by one thread at a time.
    """

    #: What is waited for, in messages.
    name: ClassVar[str]

    @abstractmethod
    def ask(
        self, account: Account, waiters: Sequence[Waiter[_Look, _News]]
    ) -> Iterator[Sequence[Answer[_Look, _News]]]:
        """Ask for all who wait. Runs in a thread, and is where all parsing, matching and sorting is done.

        :param account: What to ask with.
        :param waiters: Who waits. Their ``look`` says for what, their ``note`` is for the kind to use.
        :return: Answers, as soon as there are some: they are handed out between the steps. Whoever gets none
            waits on.
        :raises CloudElementsError: The whole tick failed. A failure that concerns one waiter alone is an
            answer to it; or, where it may pass, is raised when all others have been asked.
        """


class Waiter(Generic[_Look, _News]):
    """Somebody who waits: registered from the beginning of a ``with`` block to its end, however it ends.

    :param hub: Where it waits.
    :param conn_id: On which connection.
    :param kind: For which kind of thing.
    :param look: For what, as the kind understands it.
    :param interval: Seconds between two looks.
    """

    __slots__ = ("_conn_id", "_hub", "_kind", "_news", "_poll", "_waking", "interval", "look", "note")

    def __init__(
        self, hub: Hub, conn_id: str, kind: type[Kind[_Look, _News]], look: _Look, interval: float
    ) -> None:
        self.look = look
        self.interval = interval
        #: What the kind remembers of it from tick to tick.
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
        """Wait no more. Whoever leaves last ends the poll."""
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.remove(self)

    async def news(self) -> _News:
        """Return what the next answer holds, of those that were not taken yet.

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
        """Do something in the hub's threads, with the hub's connection: for those who catch up by themselves.

        :param work: What to do. It must not use :meth:`Account.each`, whose threads it is in.
        :return: What came of it.
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
    """All polls of one event loop."""

    def __init__(self) -> None:
        self._polls: dict[tuple[str, type[Kind[Any, Any]]], _Poll] = {}

    def __len__(self) -> int:
        """Return how many polls run."""
        return len(self._polls)

    def waiter(
        self, conn_id: str, kind: type[Kind[_Look, _News]], look: _Look, interval: float
    ) -> Waiter[_Look, _News]:
        """Return a waiter, registered once its ``with`` block begins.

        :param conn_id: Connection of type ``cloudelements``.
        :param kind: The kind of wait.
        :param look: What to look for.
        :param interval: Seconds between two looks; others who wait may make them more frequent.
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
    """The poll of one connection and kind, from its first waiter to its last.

    :param conn_id: Connection of type ``cloudelements``.
    :param kind: What it asks for.
    :param forget: Takes it out of the hub, so that who comes next starts anew.
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
        #: When the last tick began and ended, by the loop's clock; at first, since when it is waited for.
        self._began = self._ended = self._loop.time()
        #: When newcomers have gathered; ``None`` when there are none.
        self._newcomers_due: float | None = None
        #: What an answer's Retry-After asked for.
        self._not_before = 0.0
        self._refused = 0
        self._troubled = False
        self._over = False
        self._ticker = ThreadPoolExecutor(1, thread_name_prefix="cloudelements-hub-tick")
        self._callers = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="cloudelements-hub-call")
        self._task = asyncio.create_task(
            self._run(), name=f"cloudelements-hub {conn_id} {kind.name}", context=contextvars.Context()
        )

    # -- who waits ------------------------------------------------------------------------------------------

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
            # It has failed, and so has the wait of whoever asks: the news says why.
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
            # A mistake of ours: whoever waits must not wait forever.
            log.exception("The poll for %s of connection %r failed.", self._kind.name, self._conn_id)
            failure = RuntimeError(f"the poll for {self._kind.name} failed ({type(error).__name__})")
            failure.__cause__ = error
            await self._fail(failure)
        finally:
            if not self._over:
                # Ended from outside. Whoever is not, too, must not wait forever.
                self._end()
                for waiter in self._waiters:
                    waiter._tell(RuntimeError(f"the poll for {self._kind.name} was ended"))
            self._connected.set()
            if self._account is not None:
                self._account.close()
            for pool in (self._ticker, self._callers):
                # What is queued runs into the closed account, at no cost. Cancelled here, no thread would
                # take it up, as_completed() would not hear of it, and the tick's thread would wait forever.
                pool.shutdown(wait=False)

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._forget()

    async def _settings(self) -> ConnectionSettings:
        """Read the connection, now."""
        # Shielded: on Airflow 3.1 an answer that nobody takes off the pipe to the triggerer's supervisor is
        # taken for that of the next question, and the triggerer ends.
        reading = asyncio.ensure_future(CloudElementsHook(self._conn_id).aget_settings())
        settings = await asyncio.shield(reading)
        patience = min(settings.request_timeout, PATIENCE)
        return replace(settings, request_timeout=patience, max_retries=0)

    async def _connect(self, settings: ConnectionSettings) -> None:
        if self._account is not None:
            self._account.close()
        # Tokens are handed out to nobody, so there is nothing to mask.
        self._account = Account(CloudElementsClient(settings), self._callers)
        self._connected.set()

    async def _reconnect(self) -> bool:
        """Read the connection again; return whether it says something else now."""
        try:
            settings = await self._settings()
        except Exception as error:
            # Whatever it is, it may be over by the next tick, which is refused again if not.
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
                pass  # it is due, unless something has changed just now

    def _due(self) -> float:
        newcomers = self._newcomers_due
        earliest = max(self._ended + FLOOR, self._not_before)
        due = self._began + max(FLOOR, min(self._paces, default=FLOOR))
        # While secrets are refused newcomers do not hurry it: each tick is one of the refusals that are left.
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
        """Ask for all who wait and hand out the answers; return what went wrong, if anything did."""
        if self._account is None:
            raise AssertionError("a tick comes after the connection")  # pragma: no cover
        try:
            answers = self._kind.ask(self._account, tuple(self._waiters))
            # Step by step in the thread, so that nobody waits for another's slow instance.
            while (some := await self._loop.run_in_executor(self._ticker, next, answers, None)) is not None:
                await self._hand_out((each.waiter, each.news) for each in some)
        except CloudElementsError as error:
            return error
        return None

    async def _fail(self, error: Exception) -> None:
        """Tell all who wait that it is over."""
        self._end()
        await self._hand_out([(waiter, error) for waiter in self._waiters])

    async def _hand_out(self, answers: Iterable[tuple[Waiter[Any, Any], Any]]) -> None:
        """Tell waiters, a few between two turns of the loop: whoever is told has something to do."""
        for count, (waiter, news) in enumerate(answers, 1):
            if waiter in self._waiters:
                waiter._tell(_own(news) if isinstance(news, Exception) else news)
            if count % CHUNK == 0:
                await asyncio.sleep(0)

    def _warn(self, problem: str) -> None:
        """Tell of trouble when it begins, and not at each tick."""
        if not self._troubled:
            self._troubled = True
            log.warning(
                "Connection %r, waiting for %s: %s Those who wait (%d) go on waiting.",
                self._conn_id,
                self._kind.name,
                problem,
                len(self._waiters),
            )


def _own(error: Exception) -> Exception:
    """Return a waiter's own copy of an error, without the frames in which a token may lie.

    Raised in a thousand tasks, one and the same would grow a traceback of all of them.
    """
    if not isinstance(error, CloudElementsError | AirflowNotFoundException):
        return error
    return copy.copy(error)
