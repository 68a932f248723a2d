"""Read events in the poll hub for all waiters: few lists, however many waiters there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import ClassVar

from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.events.batch import EventBatch
from airflow_provider_cloudelements.events.reading import EventLook, ListOrders, read_events
from airflow_provider_cloudelements.exceptions import CloudElementsError
from airflow_provider_cloudelements.triggers.account import CONCURRENCY, Account, NobodyWaits
from airflow_provider_cloudelements.triggers.waiting import Answer, Kind, Waiter

EventWaiter = Waiter[EventLook, EventBatch]
_Answer = Answer[EventLook, EventBatch]
_Asking = list[tuple[EventWaiter, EventLook]]
#: The instance whose own list is read, or ``None`` for the account's list; and those for whom.
_Group = tuple[int | None, _Asking]
_Outcomes = list[EventBatch | Exception]
#: Reads for each group, and yields what it finds.
_Each = Callable[
    [Callable[[_Group], _Outcomes], Iterable[_Group]], Iterator[tuple[_Group, _Outcomes | Exception]]
]

#: Most instances whose own lists are read as long as it is not known how many pages the account's list has.
#: To find that out may take a hundred.
FEW_LISTS = 5


class EventWait(Kind[EventLook, EventBatch]):
    """Read the account's list once a tick, or instances' own lists where these have fewer pages.

    Each look gets one answer, also when nothing is new. A waiter that wants more looks again, from the cursor
    in the answer. So no answers pile up for a waiter that is still busy with the last one.
    """

    name: ClassVar[str] = "events"

    def __init__(self) -> None:
        self._orders = ListOrders()
        #: Whether the next tick reads instances' own lists for waiters by id.
        self._singly = False
        #: Whether the account's list failed waiters by id at the last reading, and whether for good:
        #: it was refused, or is too long for them.
        self._list_failed = self._list_fails = False

    def behind(self, waiters: Sequence[EventWaiter]) -> Collection[EventWaiter]:
        """Return those whose look would make the reading of all others as long as its own."""
        self._singly = self._prefers_own_lists(waiters)
        late: list[EventWaiter] = []
        for instance_id, group in _grouped(_asking(waiters), self._singly):
            reached = self._orders.reached(instance_id)
            if reached is not None:
                late += [
                    waiter for waiter, look in group if not look.caught_up and look.cursor.reach < reached
                ]
        return late

    def ask(self, account: Account, waiters: Sequence[EventWaiter]) -> Iterator[Sequence[_Answer]]:
        """Read for all waiters whose look has no answer yet, several lists at once."""
        return self._serve(
            account,
            waiters,
            self._singly,
            account.each,
            lambda group: read_events(_session(account, group), _looks(group), self._orders),
        )

    def catch_up(self, account: Account, waiters: Sequence[EventWaiter]) -> Iterator[Sequence[_Answer]]:
        """Read the whole list once for all who are behind."""
        return self._serve(
            account,
            waiters,
            self._prefers_own_lists(waiters),
            _in_turn,
            lambda group: read_events(_session(account, group), _looks(group)),
        )

    def _serve(
        self,
        account: Account,
        waiters: Sequence[EventWaiter],
        singly: bool,
        each: _Each,
        read: Callable[[_Group], _Outcomes],
    ) -> Iterator[Sequence[_Answer]]:
        asking, refused = _checked(account, _asking(waiters))
        yield refused
        passing: CloudElementsError | None = None
        groups, patience, answered = _grouped(asking, singly), CONCURRENCY, False
        while groups:
            once_more: _Asking = []
            for (instance_id, group), outcomes in each(read, groups):
                if isinstance(outcomes, Exception):
                    patience -= 1
                    if _ends_all(outcomes, not answered and patience < 1):
                        raise outcomes
                    outcomes = [outcomes] * len(group)
                else:
                    answered = True
                news = []
                for (waiter, look), outcome in zip(group, outcomes, strict=True):
                    if isinstance(outcome, CloudElementsError) and outcome.retryable:
                        passing = passing if isinstance(outcome, NobodyWaits) else outcome
                    elif isinstance(outcome, EventBatch) or instance_id == look.query.instance_id:
                        news.append(_answer(waiter, look, outcome))
                if instance_id is None:
                    once_more = self._not_by_list(group, outcomes)
                yield news
            groups, patience, answered = _grouped(once_more, singly=True), 1, False
        if passing is not None:
            raise passing

    def _not_by_list(self, group: _Asking, outcomes: _Outcomes) -> _Asking:
        """Return the waiters by id that the account's list failed, to read their own lists.

        They did not ask for the account's list, so its failure is not theirs. If it may pass, they wait for
        the next tick first.
        """
        by_id = [
            (each, outcome)
            for each, outcome in zip(group, outcomes, strict=True)
            if each[1].query.instance_id is not None
        ]
        failed = [(each, outcome) for each, outcome in by_id if isinstance(outcome, Exception)]
        for_good = [each for each, outcome in failed if not _may_pass(outcome)]
        first, self._list_failed = not self._list_failed, bool(failed)
        if by_id or any(isinstance(outcome, EventBatch) for outcome in outcomes):
            self._list_fails = bool(for_good)
        return for_good if first else [each for each, _ in failed]

    def _prefers_own_lists(self, waiters: Sequence[EventWaiter]) -> bool:
        """Return whether to read instances' own lists for waiters by id."""
        ids = {waiter.look.query.instance_id for waiter in waiters}
        if self._list_fails or len(ids) == 1:
            return True
        if None in ids:
            return False  # the account's list is read anyway
        pages = self._orders.pages(None)
        if pages is None:
            return len(ids) <= FEW_LISTS
        return sum(self._orders.pages(each) or 1 for each in ids) <= pages


async def next_events(waiter: EventWaiter, look: EventLook) -> EventBatch:
    """Return the answer to a look: what is new, possibly nothing.

    :param waiter: A waiter in the hub.
    :param look: What to look for, and where to begin.
    :raises CloudElementsError: The wait failed.
    """
    waiter.look = look
    return await waiter.news()


def _asking(waiters: Iterable[EventWaiter]) -> _Asking:
    """Return those whose look has no answer yet."""
    return [(waiter, waiter.look) for waiter in waiters if waiter.note is not waiter.look]


def _may_pass(outcome: EventBatch | Exception) -> bool:
    return isinstance(outcome, CloudElementsError) and outcome.retryable


def _ends_all(error: Exception, only_failures: bool) -> bool:
    """Return whether to send no further calls: each of them would fail in the same way.

    :param error: The failure of a list.
    :param only_failures: Whether no list was read yet, and several failed.
    """
    if not isinstance(error, CloudElementsError) or isinstance(error, NobodyWaits):
        return False
    return error.concerns_account or (only_failures and error.retryable)


def _answer(waiter: EventWaiter, look: EventLook, news: EventBatch | Exception) -> _Answer:
    waiter.note = look
    return Answer(waiter, news)


def _checked(account: Account, asking: _Asking) -> tuple[_Asking, list[_Answer]]:
    """Return those whose query is well formed for the connection, and answers to the others."""
    well: _Asking = []
    answers = []
    for waiter, look in asking:
        try:
            look.query.target(account.settings)
        except CloudElementsError as error:
            answers.append(_answer(waiter, look, error))
        else:
            well.append((waiter, look))
    return well, answers


def _grouped(asking: _Asking, singly: bool) -> list[_Group]:
    """Return which list is read for whom.

    :param asking: Those for whom there is something to read.
    :param singly: Whether waiters by id have the list of their instance.
    """
    groups: dict[int | None, _Asking] = defaultdict(list)
    for waiter, look in asking:
        groups[look.query.instance_id if singly else None].append((waiter, look))
    return list(groups.items())


def _looks(group: _Group) -> list[EventLook]:
    return [look for _, look in group[1]]


def _session(account: Account, group: _Group) -> HttpSession:
    """Return a session for as long as any of a group waits."""
    return account.session(lambda: any(waiter.waits for waiter, _ in group[1]))


def _in_turn(
    read: Callable[[_Group], _Outcomes], groups: Iterable[_Group]
) -> Iterator[tuple[_Group, _Outcomes | Exception]]:
    for group in groups:
        try:
            outcomes: _Outcomes | Exception = read(group)
        except Exception as error:
            outcomes = error
        yield group, outcomes
