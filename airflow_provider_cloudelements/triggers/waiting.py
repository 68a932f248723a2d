"""Say what waits in the poll hub, and what a tick does for it: the part of the hub that kinds of wait use."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from airflow_provider_cloudelements.exceptions import CloudElementsError
from airflow_provider_cloudelements.triggers.account import Account, Session

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
    tick. Only one thread at a time uses it, except for :meth:`catch_up`, which must change nothing.
    """

    #: Name of what the waiters wait for, in messages.
    name: ClassVar[str]

    @abstractmethod
    def ask(
        self, account: Account, waiters: Sequence[Waiter[_Look, _News]]
    ) -> Iterator[Sequence[Answer[_Look, _News]]]:
        """Ask for all waiters. This runs in a thread, and does all parsing, matching and sorting there.

        A failure concerns those who asked for what failed. It is an answer to them if it cannot pass. If it
        may pass, the method raises it after it has asked for all others.

        :param account: The account to ask.
        :param waiters: The waiters. Their ``look`` says what they want; the kind may use their ``note``.
        :return: Answers, as soon as there are some: the hub hands them out between the steps. A waiter
            without an answer waits on.
        :raises CloudElementsError: A failure that may pass, or one that concerns the account.
        """

    def behind(self, waiters: Sequence[Waiter[_Look, _News]]) -> Collection[Waiter[_Look, _News]]:
        """Return the waiters that would make a tick long for all others. The hub asks for them beside it.

        This runs on the event loop, between two ticks. Default: none.

        :param waiters: The waiters of the next tick.
        """
        return ()

    def catch_up(
        self, account: Account, waiters: Sequence[Waiter[_Look, _News]]
    ) -> Iterator[Sequence[Answer[_Look, _News]]]:
        """Ask for all waiters that are behind, as :meth:`ask` does, but beside the ticks.

        :param account: The account to ask. :meth:`Account.each` is for the ticks.
        :param waiters: The waiters.
        """
        raise NotImplementedError(f"{type(self).__name__} lets nobody fall behind")


class Poll(Protocol):
    """What a waiter needs of its poll."""

    def add(self, waiter: Waiter[Any, Any]) -> None:
        """Wait for it."""

    def remove(self, waiter: Waiter[Any, Any]) -> None:
        """Wait for it no more."""

    async def work(self, work: Callable[[], _Found]) -> _Found:
        """Run a function in a thread of the poll."""


class Waiter(Generic[_Look, _News]):
    """Wait in the hub. A waiter is registered from the beginning of a ``with`` block to its end.

    The block's end removes it also after an exception.

    :param poll_of: Returns the poll to join.
    :param look: What to look for, in the form of the kind.
    :param interval: Seconds between two looks.
    """

    __slots__ = ("_news", "_poll", "_poll_of", "_waking", "interval", "look", "note")

    def __init__(self, poll_of: Callable[[], Poll], look: _Look, interval: float) -> None:
        self.look = look
        self.interval = interval
        #: What the kind remembers about this waiter from tick to tick.
        self.note: Any = None
        self._poll_of = poll_of
        self._poll: Poll | None = None
        self._news: deque[_News | Exception] = deque()
        self._waking: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        self._poll = self._poll_of()
        self._poll.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    @property
    def waits(self) -> bool:
        """Whether it waits. A kind asks for nothing more on behalf of one that has left; from any thread."""
        return self._poll is not None

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
        news = self._news.popleft()
        if isinstance(news, Exception):
            raise news
        return news

    async def work(self, work: Callable[[], _Found]) -> _Found:
        """Run a function in a thread of the poll, because it would hold up the event loop.

        :param work: The function. It sends no calls.
        :return: Its result.
        """
        if self._poll is None:
            raise RuntimeError("only a waiter that is registered may work")
        return await self._poll.work(work)

    def tell(self, news: _News | Exception) -> None:
        """Give it news. For the poll alone."""
        self._news.append(news)
        if self._waking is not None and not self._waking.done():
            self._waking.set_result(None)


def passing_fault(error: Exception) -> CloudElementsError | None:
    """Return a passing failure, which is no answer to a waiter; ``None`` if the failure is one.

    :param error: The failure of one of the calls of a tick.
    :raises CloudElementsError: It concerns all calls at once.
    """
    if not isinstance(error, CloudElementsError):
        return None
    if error.concerns_account:
        raise error
    return error if error.retryable else None


def session_for(account: Account, waiters: Sequence[Waiter[Any, Any]]) -> Session:
    """Return a session for as long as any of some waiters waits.

    :param account: The account to ask.
    :param waiters: The waiters.
    """
    return account.session(lambda: any(waiter.waits for waiter in waiters))
