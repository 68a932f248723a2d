"""Work in a few threads: bounded, in whatever order it ends, and nothing left behind."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_cloudelements.client.wire.parallel import as_finished, read_ahead


@pytest.fixture(autouse=True)
def nothing_stays():
    """Check that no thread outlives a test, of those that it started."""
    before = threading.enumerate()
    yield
    assert [each.name for each in threading.enumerate() if each not in before] == []


def test_each_item_is_worked_on_once_by_a_bounded_number_of_threads():
    lock, now, most = threading.Lock(), [0], [0]

    def work(item):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.001)
        with lock:
            now[0] -= 1
        return item * 2

    assert sorted(as_finished(work, range(200), 7)) == [each * 2 for each in range(200)]
    assert 1 < most[0] <= 7


def test_items_are_taken_as_they_are_needed_and_results_do_not_pile_up():
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    results = as_finished(lambda each: each, items(), 4)
    next(results)
    time.sleep(0.05)
    assert len(taken) <= 4 * 4 + 4 + 2
    results.close()
    assert len(taken) <= 4 * 4 + 4 + 2


def test_a_slow_item_holds_nothing_back():
    gate = threading.Event()
    results = as_finished(lambda each: gate.wait(5) if each == 0 else each, range(50), 2)
    assert [next(results) for _ in range(49)] == list(range(1, 50))
    gate.set()
    assert list(results) == [True]


def test_an_error_ends_it():
    done = []

    def work(item):
        if item == 10:
            raise LookupError
        done.append(item)
        return item

    with pytest.raises(LookupError):
        list(as_finished(work, range(100_000), 3))
    assert len(done) < 1000


def test_an_error_of_the_items_ends_it():
    def items():
        yield 1
        raise LookupError

    with pytest.raises(LookupError):
        list(as_finished(lambda each: each, items(), 3))


def test_a_reader_ahead_keeps_order_and_asks_before_the_caller_does():
    asked = []

    def items():
        for number in range(6):
            asked.append(number)
            yield number

    ahead = read_ahead(items())
    assert next(ahead) == 0
    deadline = time.monotonic() + 5
    while len(asked) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert 2 <= len(asked) <= 4
    assert list(ahead) == [1, 2, 3, 4, 5]


def test_a_reader_ahead_raises_what_the_iterator_raises():
    def items():
        yield 1
        raise LookupError

    ahead = read_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(LookupError):
        next(ahead)


def test_a_reader_ahead_can_be_left():
    ahead = read_ahead(iter(range(1000)))
    next(ahead)
    ahead.close()
