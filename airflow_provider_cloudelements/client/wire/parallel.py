"""Work on many items in a few threads, and yield the results in the items' order or as they finish."""

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
    """Yield the result of each item, in the order of the items, from a bounded number of threads.

    A slow item holds back the results after it, but not the work on them: a vendor that takes minutes to time
    out costs one thread. After the first error, no more work begins.

    :param work: Function that works on one item.
    :param items: The items. The generator reads them only when it needs them.
    :param concurrency: Most items at once.
    """
    ahead: deque[Future[_Found]] = deque()
    errors: list[Exception] = []
    # More items than threads, so that the threads have work while the caller reads the next page.
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
    """Run one function for each item in a pool's threads.

    :param pool: The pool. Its number of threads is the most items at once.
    :param work: Function that works on one item.
    :param items: The items.
    :return: Each item with its result or its error, in the order in which they finish.
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
