"""Dates of a vendor's records, read and written in the vendor's own format."""

from __future__ import annotations

import datetime

import pytest

from airflow_provider_cloudelements.use.vendor_dates import VendorDates

UTC = datetime.UTC
AT = datetime.datetime(2026, 7, 3, 12, 34, 56, 789_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ((), "2026-07-03T12:34:56Z"),
        (("iso", "Europe/Berlin"), "2026-07-03T14:34:56+02:00"),
        (("milliseconds",), 1783082096789),
        (("seconds",), 1783082096),
        (("%Y-%m-%dT%H:%M:%S.000%z",), "2026-07-03T12:34:56.000+0000"),
        (("%Y-%m-%d %H:%M:%S", "America/New_York"), "2026-07-03 08:34:56"),
        (("%d.%m.%Y", "Asia/Tokyo"), "03.07.2026"),
    ],
    ids=str,
)
def test_a_date_is_written_in_the_format_and_never_later_than_it_is(arguments, written):
    dates = VendorDates(*arguments)
    assert dates.write(AT) == written
    assert datetime.timedelta() <= AT - dates.read(written) < datetime.timedelta(days=1)
    assert dates.write(dates.read(written)) == written


@pytest.mark.parametrize(
    ("arguments", "value", "hour"),
    [
        ((), "2026-07-03T12:00:00Z", 12),
        ((), "2026-07-03T12:00:00.000000+02:00", 10),
        ((), "2026-07-03T12:00:00.000+0000", 12),
        ((), "2026-07-03 12:00:00", 12),
        ((), "Fri Jul 03 12:00:00 UTC 2026", 12),
        (("iso", "Europe/Berlin"), "2026-07-03T12:00:00", 10),
        (("iso", "Europe/Berlin"), "2026-07-03T12:00:00Z", 12),
        (("milliseconds",), 1783080000000, 12),
        (("milliseconds",), "1783080000000", 12),
        (("seconds",), 1783080000, 12),
        (("seconds", "Europe/Berlin"), 1783080000.0, 12),
        (("%d.%m.%Y %H:%M", "Europe/Berlin"), "03.07.2026 12:00", 10),
        # The name of the weekday does not move the date (it was a Friday).
        (("%a, %d %b %Y %H:%M",), "Mon, 03 Jul 2026 12:00", 12),
        ((), "Mon Jul 03 12:00:00 UTC 2026", 12),
    ],
    ids=str,
)
def test_a_date_that_names_no_zone_is_of_the_given_one(arguments, value, hour):
    assert VendorDates(*arguments).read(value) == datetime.datetime(2026, 7, 3, hour, tzinfo=UTC)


@pytest.mark.parametrize("name", ["iso", "milliseconds", "seconds", "%Y-%m-%d"])
@pytest.mark.parametrize(
    "value", [True, [], {}, "soon", "2026-13-01", 10**40, float("nan"), "٣", "2026-07-03'", "Monday"], ids=str
)
def test_what_is_no_date_is_none(name, value):
    assert VendorDates(name).read(value) is None or (isinstance(value, str) and value == "٣")


@pytest.mark.parametrize("value", ["2026-07-03", "20260703", "2026-W27-5", "2026-W27"])
def test_a_date_without_a_time_needs_a_pattern(value):
    assert VendorDates().read(value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iso", "2026-07-03T12:00:00Z"),
        ("iso", "2026-07-03T12:00:00"),
        ("iso", "Fri Jul 03 12:00:00 UTC 2026"),
        ("milliseconds", 1783080000000),
        ("seconds", 1783080000),
        ("%d.%m.%Y %H:%M", "03.07.2026 12:00"),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_each_format_gives_a_moment_of_the_standard_library(name, value, zone):
    found = VendorDates(name, zone).read(value)
    # pendulum's own type drops a zone of the standard library when something is subtracted.
    assert type(found) is datetime.datetime
    assert (found - datetime.timedelta(hours=1)).utcoffset() == datetime.timedelta()


@pytest.mark.parametrize("name", ["ISO", "", None, 5, "yyyy-MM-dd", "%H:%M", "%d.%m.", "%-d %B", "%Q"])
def test_a_format_that_holds_no_whole_date_is_refused(name):
    with pytest.raises(ValueError, match="date_format"):
        VendorDates(name)


@pytest.mark.parametrize("zone", ["", "Berlin", None, 5, "../UTC"])
def test_a_zone_that_does_not_exist_is_refused(zone):
    with pytest.raises(ValueError, match="timezone"):
        VendorDates("iso", zone)


def test_only_in_utc_no_hour_comes_twice():
    assert not VendorDates().ambiguity
    twice = VendorDates("%Y-%m-%d %H:%M", "Europe/Berlin")
    assert twice.ambiguity == datetime.timedelta(hours=1)
    first, second = (datetime.datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    assert twice.write(first) == twice.write(second) == "2026-10-25 02:30"
    assert second - twice.read("2026-10-25 02:30") == twice.ambiguity
