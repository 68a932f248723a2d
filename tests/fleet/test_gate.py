"""The pace of calls: full while all is well, a pause and then few after a refusal."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_cloudelements.exceptions import (
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsTimeoutError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.fleet.gate import Gate, may_pass


def failing(gate, error):
    with pytest.raises(type(error)), gate.passing():
        raise error


def seconds_until_open(gate):
    began = time.monotonic()
    with gate.passing():
        return time.monotonic() - began


def test_no_more_than_its_number_pass_at_once():
    gate, lock, now, most = Gate(3), threading.Lock(), [0], [0]

    def work():
        with gate.passing():
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.005)
            with lock:
                now[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert most[0] == 3


@pytest.mark.parametrize(
    "error", [CloudElementsRateLimitError("x"), CloudElementsServerError("x"), CloudElementsTimeoutError("x")]
)
def test_a_refusal_that_passes_makes_a_pause(error):
    assert may_pass(error)
    gate = Gate(8)
    failing(gate, error)
    assert 0.2 < seconds_until_open(gate) < 5
    assert gate._limit < 8


def test_another_failure_makes_none():
    gate = Gate(8)
    failing(gate, CloudElementsValidationError("x"))
    assert seconds_until_open(gate) < 0.2
    assert gate._limit == 8


def test_the_answer_can_ask_for_a_longer_pause():
    now = [100.0]
    gate = Gate(8, clock=lambda: now[0])
    failing(gate, CloudElementsRateLimitError("x", retry_after=9))
    assert gate._opens == 109.0
    now[0] = 109.0
    assert seconds_until_open(gate) < 1


def test_calls_that_began_before_the_pause_do_not_lengthen_it():
    now = [100.0]
    gate = Gate(8, clock=lambda: now[0])
    begun = [gate._enter() for _ in range(8)]
    now[0] = 101.0
    for each in begun:
        gate._leave(each, CloudElementsRateLimitError("x"))
    assert gate._strikes == 1
    assert gate._limit == 2


def test_it_comes_back_to_full_speed():
    now = [100.0]
    gate = Gate(8, clock=lambda: now[0])
    for _ in range(3):
        failing(gate, CloudElementsRateLimitError("x"))
        now[0] += 100
    assert gate._limit == 1
    for _ in range(60):
        with gate.passing():
            pass
    assert gate._limit == 8
