"""The platform's clock: what its answers show of it, and what they may leave out."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from airflow_provider_cloudelements.client.wire.clock import PlatformClock
from tests.support.wire import Wire, account, answer


@pytest.mark.parametrize("ahead", [-3600, -660, 0, 660, 3600])
def test_an_answer_shows_how_far_the_platform_s_clock_is_ahead(ahead):
    header = {"Date": formatdate(time.time() + ahead, usegmt=True)}
    with Wire(answer([], headers=header)) as wire:
        known = account(wire.url).client
        assert known.http.platform_clock.at(0) is None
        known.http.send("GET", "/instances")
        clock = known.http.platform_clock
        assert abs(clock.ahead - ahead) <= 2
        assert abs(clock.at(time.time()).timestamp() - time.time() - ahead) <= 2


def test_a_refused_call_shows_it_as_well():
    header = {"Date": formatdate(time.time() - 600, usegmt=True)}
    with Wire(answer({"message": "no"}, 401, headers=header)) as wire:
        known = account(wire.url).client
        with pytest.raises(Exception, match="401"):
            known.http.send("GET", "/instances")
        assert known.http.platform_clock.ahead == pytest.approx(-600, abs=2)


def test_the_rounding_of_the_header_is_no_difference():
    clock = PlatformClock()
    clock.saw(formatdate(time.time() - 1, usegmt=True))
    assert clock.ahead == 0


@pytest.mark.parametrize(
    "header", [None, "", "soon", "Mon, 99 Abc 2026 00:00:00 GMT", "Tue, 24 Nov 2015 00:00:00 GMT"]
)
def test_a_missing_or_wrong_header_changes_nothing(header):
    clock = PlatformClock()
    clock.saw(header)
    assert clock.ahead is None
