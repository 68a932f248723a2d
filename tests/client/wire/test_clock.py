"""The platform's clock: what its answers show of it, and what they may leave out."""

from __future__ import annotations

import time
from email.utils import formatdate

import pendulum
import pytest

from airflow_provider_cloudelements.client.wire.clock import Moment, PlatformClock
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


@pytest.mark.parametrize(
    "form", ["%a, %d %b %Y %H:%M:%S -0000", "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S"]
)
def test_a_date_that_names_no_zone_is_not_one_of_the_workers_zone(monkeypatch, form):
    clock = PlatformClock()
    try:
        with monkeypatch.context() as patched:
            patched.setenv("TZ", "America/New_York")
            time.tzset()
            clock.saw(time.strftime(form, time.gmtime()))
    finally:
        time.tzset()
    assert clock.ahead == 0


# -- a moment that a worker noted ----------------------------------------------------------------------------


def clock_ahead(seconds):
    clock = PlatformClock()
    clock.ahead = seconds
    return clock


@pytest.mark.parametrize("reads", [None, 0.0, 90.0])
def test_a_moment_noted_with_the_platforms_clock_has_one_date_for_all_workers(reads):
    assert Moment(1000.0, 7200.0).date(clock_ahead(reads)) == pendulum.from_timestamp(8200)


@pytest.mark.parametrize(("ahead", "date"), [(None, 1000), (90.0, 1090)])
def test_one_noted_without_it_is_read_by_the_readers_clock(ahead, date):
    assert Moment(1000.0).date(clock_ahead(ahead)) == pendulum.from_timestamp(date)


def test_one_noted_without_it_that_lies_in_the_future_has_no_date():
    assert Moment(time.time() + 60).date(clock_ahead(0.0)) is None
    assert Moment(time.time() + 1).date(clock_ahead(0.0)) is not None


@pytest.mark.parametrize(
    ("noted", "reads", "ours"), [(None, 90.0, 1000.0), (30.0, None, 1000.0), (30.0, 90.0, 940.0)]
)
def test_a_moment_by_the_readers_clock(noted, reads, ours):
    assert Moment(1000.0, noted).ours(clock_ahead(reads)) == ours
