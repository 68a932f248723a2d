"""Work on many items in a few threads, and yield the results in the items' order or as they finish."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from queue import SimpleQueue
from threading import Event, Lock, Semaphore, Thread
from typing import TypeVar

from airflow_provider_cloudelements.client.wire.request import is_count
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

#: Most items at once: each has a thread.
MOST_CONCURRENCY = 256

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


def checked_concurrency(value: int) -> int:
    """Check and return how many items may be worked on at once.

    :param value: The number.
    :raises CloudElementsValidationError: It is no whole number from 1 to 256.
    """
    if not is_count(value, 1, MOST_CONCURRENCY):
        raise CloudElementsValidationError(
            f"concurrency must be a whole number from 1 to {MOST_CONCURRENCY}."
        )
    return value


def in_order(
    work: Callable[[_Item], _Found], items: Iterable[_Item], concurrency: int
) -> Generator[_Found, None, None]:
    """Yield the result of each item, in the order of the items, from a bounded number of threads.

    A slow item holds back the results after it, but not the work on them: a vendor that takes minutes to time
    out costs one thread. After the first error, no more work begins.

    :param work: Function that works on one item.
    :param items: The items. The generator reads them only when it needs them.
    :param concurrency: Most items at once, from 1 to 256.
    :raises CloudElementsValidationError: ``concurrency`` is something else.
    """
    checked_concurrency(concurrency)
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


def as_finished(
    work: Callable[[_Item], _Found], items: Iterable[_Item], concurrency: int
) -> Generator[_Found, None, None]:
    """Yield the result of each item as soon as it is there, from a bounded number of threads.

    A thread takes the next item when it has finished one, so that neither items nor results pile up. After an
    error, no thread takes a further item, and the generator raises the error. When the caller closes the
    generator, no thread takes a further item, and the generator waits for those at work.

    :param work: Function that works on one item.
    :param items: The items.
    :param concurrency: Most items at once, from 1 to 256.
    :raises CloudElementsValidationError: ``concurrency`` is something else.
    """
    checked_concurrency(concurrency)
    waiting = iter(items)
    lock = Lock()
    ended = Event()
    room = Semaphore(4 * concurrency)
    results: SimpleQueue[tuple[_Found | None, BaseException | None, bool]] = SimpleQueue()

    def run() -> None:
        try:
            while not ended.is_set():
                with lock:
                    item = next(waiting, results)
                if item is results:
                    break
                found = work(item)  # type: ignore[arg-type]  # the mark is taken out above
                room.acquire()
                results.put((found, None, False))
        except BaseException as error:
            ended.set()
            results.put((None, error, False))
        finally:
            results.put((None, None, True))

    threads = [
        Thread(target=run, name=f"cloudelements-{number}", daemon=True) for number in range(concurrency)
    ]
    for thread in threads:
        thread.start()
    left = concurrency
    try:
        while left:
            found, error, last = results.get()
            if last:
                left -= 1
            elif error is not None:
                raise error
            else:
                room.release()
                yield found  # type: ignore[misc]  # None only if the work returned it
    finally:
        ended.set()
        for _ in threads:
            room.release()  # a thread may wait to hand over a result that nobody takes
        for thread in threads:
            thread.join()


def read_ahead(items: Iterator[_Item]) -> Generator[_Item, None, None]:
    """Yield the items, and have a thread get the next ones while the caller works on this one.

    The thread asks for the next item before the caller gets this one. If the caller asked, the interpreter
    would go on with the caller's work, and the request would wait for its end.

    :param items: Iterator that waits for each item, such as for an answer of a server.
    """
    ready: SimpleQueue[tuple[_Item | None, BaseException | None, bool]] = SimpleQueue()
    room = Semaphore(2)
    ended = Event()

    def run() -> None:
        try:
            for item in items:
                ready.put((item, None, False))
                room.acquire()
                if ended.is_set():
                    return
            ready.put((None, None, True))
        except BaseException as error:
            ready.put((None, error, True))

    thread = Thread(target=run, name="cloudelements-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error, last = ready.get()
            if error is not None:
                raise error
            if last:
                return
            yield item  # type: ignore[misc]  # None only if the iterator yields it
            room.release()
    finally:
        ended.set()
        room.release()
        thread.join()
