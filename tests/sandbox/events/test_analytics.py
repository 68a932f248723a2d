"""Analytics and dispositions: facts F285 to F287."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.patience import wait_for

PATH = "/instances/events/analytics"
OUTSIDE = "https://app.example/events"


def iso(date):
    return date.strftime("%Y-%m-%dT%H:%M:%SZ")


def span(**duration):
    now = datetime.now(UTC)
    return {"from": iso(now - timedelta(**duration)), "to": iso(now)}


@pytest.mark.parametrize("path", [PATH, f"{PATH}/accounts", f"{PATH}/instances"])
def test_what_is_refused(api, path):
    hour = span(hours=1)
    api.refused(api("GET", path, params={**hour, "interval": "second"}), 400)
    api.refused(api("GET", path, params={"from": hour["to"], "to": hour["from"], "interval": "minute"}), 400)
    api.refused(api("GET", path, params={"from": "yesterday"}), 400)
    api.refused(api("GET", path, params={**hour, "interval": "minute", "accountIds[]": "32"}), 403)
    api.refused(api("GET", path, params={"accountIds[]": ["31", "x"]}), 403)
    assert api("GET", path, params={**hour, "accountIds[]": "31"}).status_code == 200


def test_one_hour_by_the_minute_is_61_rows(api, sandbox):
    number = api.listening(callback=OUTSIDE)
    sandbox.emit(number, count=3)
    query = {**span(hours=1), "interval": "minute"}
    rows = api("GET", PATH, params=query).json()
    assert len(rows) == 61
    assert sum(row["count"] for row in rows) == 3
    assert rows[-1]["count"] + rows[-2]["count"] == 3
    assert all(row.keys() == {"timestamp", "count"} for row in rows)
    for path, name, key in (("instances", "instanceId", number), ("accounts", "accountId", 31)):
        found = api("GET", f"{PATH}/{path}", params=query).json()
        assert [row["timestamp"] for row in found] == [row["timestamp"] for row in rows]
        assert sum(row["total"] for row in found) == 3
        records = [record for row in found for record in row["records"]]
        assert {record[name] for record in records} == {key}
        assert sum(record["count"] for record in records) == 3
        assert all(record["success"] == record["count"] for record in records)


@pytest.mark.parametrize(
    ("interval", "start", "end", "count"),
    [
        ("year", "2020-02-29", "2026-01-01", 6),
        ("quarter", "2025-01-31T00:00:00Z", "2026-01-31T00:00:00Z", 5),
        ("month", "2025-01-31T00:00:00Z", "2025-04-01T00:00:00Z", 3),
        ("week", "2026-01-01", "2026-01-15", 3),
        ("day", "2026-01-01", "2026-01-01", 1),
        ("hour", "2026-01-01T00:00:00+02:00", "2026-01-01T00:00:00Z", 3),
        ("year", "9990-01-01", "9999-12-31", 10),
        ("day", "9999-12-30", "9999-12-31", 2),
    ],
)
def test_intervals(api, interval, start, end, count):
    answer = api("GET", PATH, params={"from": start, "to": end, "interval": interval})
    assert len(answer.json()) == count


def test_too_many_rows(api):
    api.refused(api("GET", PATH, params={"from": "1000-01-01", "interval": "minute"}), 400)


def test_dates_at_the_end_of_the_calendar(api):
    for query in (
        {"to": "0001-01-01"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"to": "9999-12-31T23:59:59-14:00"},
    ):
        assert api("GET", PATH, params=query).status_code in (200, 400)


def test_dispositions(api, sandbox):
    number = api.listening(callback=OUTSIDE)
    made = sandbox.emit(number, count=5)
    path = "/instances/events/dispositions"
    seen, query = [], {"pageSize": 2}
    while True:
        answer = api("GET", path, params=query)
        seen += answer.json()
        query["nextPage"] = answer.headers.get("Elements-Next-Page-Token")
        if query["nextPage"] is None:
            break
    assert [row["eventId"] for row in seen] == made
    assert {(row["elementInstanceId"], row["status"]) for row in seen} == {(number, "NOTIFIED")}
    assert all(row["deliveries"] == ["created"] for row in seen)
    assert all(row["notificationData"] == [{"message": "Event created"}] for row in seen)
    assert api("GET", path, params={"from": "2020-01-01", "to": "2020-02-01"}).json() == []
    api.refused(api("GET", path, params={"from": "2020-01-01", "to": "2019-02-01"}), 400)


def test_a_failed_delivery_shows_in_its_disposition(api, sandbox):
    sandbox.configure(outside_callback="fail")
    sandbox.emit(api.listening(callback=OUTSIDE))

    def told():
        (row,) = api("GET", "/instances/events/dispositions").json()
        return row["notificationData"][0]["message"].startswith("Error delivering event")

    assert wait_for(told)
