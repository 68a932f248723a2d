"""What is done for many in a few threads: in the order asked for, or as it is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from threading import Semaphore
from typing import TypeVar

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


def in_order(
    work: Callable[[_Item], _Found], items: Iterable[_Item], concurrency: int
) -> Generator[_Found, None, None]:
    """Yield what the work gives for each item, in the order of the items, from a bounded number of threads.

    A slow one holds back what comes after it, but not the work on it: a vendor that takes minutes to time
    out costs one thread. After the first error nothing more is begun.

    :param work: What to do.
    :param items: With what; they are asked for as they are needed.
    :param concurrency: Most of them at once.
    """
    ahead: deque[Future[_Found]] = deque()
    errors: list[Exception] = []
    # More than are at work, so that they have something to do while the next page is read.
    room = Semaphore(4 * concurrency)

    def attempt(item: _Item) -> _Found:
        if errors:
            raise errors[0]
        try:
            return work(item)
        except Exception as error:
            errors.append(error)
            raise

    with ThreadPoolExecutor(concurrency, thread_name_prefix="cloudelements-check") as pool:
        try:
            for item in items:
                room.acquire()
                if errors:
                    raise errors[0]
                future = pool.submit(attempt, item)
                future.add_done_callback(lambda _: room.release())
                ahead.append(future)
                while ahead and ahead[0].done():
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def as_done(
    pool: ThreadPoolExecutor, work: Callable[[_Item], _Found], items: Iterable[_Item]
) -> Generator[tuple[_Item, _Found | Exception]]:
    """Do the same for each item in a pool's threads.

    :param pool: Its threads are how many are done at once.
    :param work: What to do.
    :param items: With what.
    :return: Each item with what came of it, be it an error, in the order in which they are done.
    """
    futures: dict[Future[_Found], _Item] = {pool.submit(work, item): item for item in items}
    try:
        for future in as_completed(futures):
            try:
                found: _Found | Exception = future.result()
            except Exception as error:
                found = error
            yield futures.pop(future), found
    finally:
        for future in futures:
            future.cancel()
