"""Reading events: facts F281 to F284."""

import json
import re
import time

import pytest

from airflow_provider_cloudelements.sandbox import SandboxError
from tests.support.api import EVENTS_ON, encoded
from tests.support.patience import wait_for

OUTSIDE = "https://app.example/events"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def ids(events):
    return [event["id"] for event in events]


def test_the_shape_of_an_event(api, sandbox):
    number = api.listening(callback=OUTSIDE)
    (event_id,) = sandbox.emit(number, object_type="leads", object_id="7", event_type="UPDATED")
    assert re.fullmatch(r"[A-Za-z0-9_-]{20}", event_id)
    (event,) = api.events()
    assert event.keys() == {
        "id",
        "eventDate",
        "status",
        "providerData",
        "notifiedData",
        "eventElementInstances",
    }
    assert event["id"] == event_id
    assert DATE.fullmatch(event["eventDate"])
    assert event["status"] == "NOTIFIED"
    assert isinstance(event["providerData"], str)
    assert json.loads(event["providerData"])["objectId"] == "7"
    (row,) = event["eventElementInstances"]
    assert row.keys() == {
        "eventId",
        "elementInstanceId",
        "notificationId",
        "notifiedData",
        "createdDate",
        "updatedDate",
    }
    assert (row["eventId"], row["elementInstanceId"]) == (event_id, number)
    (notified,) = event["notifiedData"]
    assert json.loads(row["notifiedData"]) == notified
    assert notified["id"] == str(row["notificationId"])
    assert notified["message"]["eventId"] == event_id
    for path in (
        f"/instances/events/{event_id}",
        f"/instances/{number}/events/{event_id}",
    ):
        assert api("GET", path).json() == event
    assert api("GET", f"/instances/{number}/events").json() == [event]
    for path in (
        "/instances/events/AAAAAAAAAAAAAAAAAAAA",
        f"/instances/{number}/events/AAAAAAAAAAAAAAAAAAAA",
        f"/instances/1/events/{event_id}",
        "/instances/1/events",
    ):
        api.refused(api("GET", path), 404)
    api.refused(api("GET", "/instances/events", headers={"Authorization": None}), 401)


@pytest.mark.parametrize("status", ["DISPATCHED", "CONSUMED"])
def test_without_a_callback_nobody_is_notified(api, sandbox, status):
    sandbox.configure(unnotified_status=status)
    number = api.listening()
    sandbox.emit(number)
    (event,) = api.events()
    assert (event["status"], event["notifiedData"]) == (status, [])
    (row,) = event["eventElementInstances"]
    assert (row["elementInstanceId"], row["notificationId"], row["notifiedData"]) == (number, None, None)


def test_the_callback_false_is_none(api, sandbox):
    sandbox.emit(api.listening(callback="false"))
    assert api.events()[0]["status"] == "DISPATCHED"
    assert api("GET", "/notifications/subscriptions").json() == []


def test_an_event_is_seen_late_and_notified_later(api, sandbox):
    sandbox.configure(event_visible_after=0.3, event_notified_after=0.9)
    number = api.listening(callback=OUTSIDE)
    (event_id,) = sandbox.emit(number)
    assert api.events() == []
    api.refused(api("GET", f"/instances/events/{event_id}"), 404)
    assert sandbox.event_counters() == {"accepted": 1, "dropped": {}, "kept": 1, "visible": 0}
    seen = []
    end = time.monotonic() + 15
    while not seen or seen[-1] != "NOTIFIED":
        assert time.monotonic() < end
        for event in api.events():
            seen += [event["status"]] if event["status"] not in seen else []
            assert bool(event["notifiedData"]) is (event["status"] == "NOTIFIED")
        time.sleep(0.02)
    assert seen in (["RECEIVED", "DISPATCHED", "NOTIFIED"], ["DISPATCHED", "NOTIFIED"])


def test_all_statuses_on_the_way(api, sandbox):
    sandbox.configure(event_notified_after=1000)
    sandbox.emit(api.listening(callback=OUTSIDE))
    assert api.events()[0]["status"] == "NEW"
    sandbox.reset()
    sandbox.configure(event_notified_after=0.6)
    sandbox.emit(api.listening(callback=OUTSIDE))
    # In this order; how many of them a slow machine sees is another matter.
    seen = []

    def over():
        seen.append(api.events()[0]["status"])
        return seen[-1] == "NOTIFIED"

    wait_for(over)
    known = ["NEW", "RECEIVED", "DISPATCHED", "NOTIFIED"]
    assert seen == sorted(seen, key=known.index)
    assert sandbox.deliveries()[0]["status"] == "created"


@pytest.mark.parametrize("order", ["newest", "oldest", "visibility"])
@pytest.mark.parametrize("of_one", [False, True])
def test_orders_and_pages(api, sandbox, order, of_one):
    sandbox.configure(event_order=order)
    number, other = api.listening(), api.listening()
    made = sandbox.emit(number, count=7)
    sandbox.emit(other)
    if not of_one:
        made += api.events(other)[0]["id"].split()
    expected = made if order == "oldest" else made[::-1]
    for query in ({}, {"instanceId": number}) if of_one else ({},):
        instance = None if "instanceId" in query or not of_one else number
        assert ids(api.events(instance, pageSize=3, **query)) == expected
        path = "/instances/events" if instance is None else f"/instances/{number}/events"
        answer = api("GET", path, params={**query, "pageSize": 3})
        assert answer.headers["Elements-Returned-Count"] == "3"
        assert answer.headers["Elements-Total-Count"] == str(len(made))
    # A page that ends with the last event has no token (fact F51).
    answer = api("GET", "/instances/events", params={"pageSize": 8})
    assert "Elements-Next-Page-Token" not in answer.headers


def test_dates_are_mixed_by_visibility(api, sandbox):
    sandbox.configure(event_order="visibility", event_visible_spread=0.4)
    made = sandbox.emit(api.listening(), count=40)
    seen = wait_for(lambda: rows if len(rows := ids(api.events())) == 40 else None)
    assert set(seen) == set(made)
    assert seen not in (made, made[::-1])
    sandbox.configure(event_order="oldest")
    assert ids(api.events()) == made


@pytest.mark.parametrize("order", ["newest", "oldest", "visibility"])
def test_page_tokens_stay_good_while_events_arrive(api, sandbox, order):
    sandbox.configure(event_order=order)
    number = api.listening()
    made = sandbox.emit(number, count=10)
    seen, token, later = [], None, []
    while True:
        answer = api("GET", "/instances/events", params={"pageSize": 3, "nextPage": token})
        seen += ids(answer.json())
        token = answer.headers.get("Elements-Next-Page-Token")
        if token is None:
            break
        if len(later) < 4:
            later += sandbox.emit(number)
    assert len(seen) == len(set(seen))
    assert [event for event in seen if event in made] == (made if order == "oldest" else made[::-1])


def test_queries_that_do_not_fit(api):
    for query in ("pageSize=0", "pageSize=x", "nextPage=x", "instanceId=x", "instanceId=-1"):
        api.refused(api("GET", f"/instances/events?{query}"), 400)
    assert api("GET", "/instances/events?instanceId=1").json() == []
    assert api("GET", "/instances/events").json() == []


def test_the_oldest_are_forgotten(api, sandbox):
    sandbox.configure(events_kept=3)
    number = api.listening(callback=OUTSIDE)
    made = sandbox.emit(number, count=5)
    assert ids(api.events()) == made[:1:-1]
    assert ids(api.events(number)) == made[:1:-1]
    assert len(sandbox.deliveries()) == 3
    api.refused(api("GET", f"/instances/events/{made[0]}"), 404)
    assert sandbox.event_counters() == {"accepted": 5, "dropped": {}, "kept": 3, "visible": 3}
    sandbox.configure(event_retention=0.05)
    time.sleep(0.1)
    assert api.events() == api.events(number) == sandbox.deliveries() == []


def test_an_event_forgotten_before_it_was_seen(api, sandbox):
    sandbox.configure(event_visible_after=0.1, event_notified_after=0.1, events_kept=1)
    one, two = sandbox.emit(api.listening(callback=OUTSIDE), count=2)
    time.sleep(0.2)
    assert ids(api.events()) == [two] != [one]


def test_events_of_a_deleted_instance_stay(api, sandbox):
    number = api.listening()
    made = sandbox.emit(number)
    assert api("DELETE", f"/instances/{number}").status_code == 200
    assert ids(api.events()) == ids(api.events(instanceId=number)) == made
    api.refused(api("GET", f"/instances/{number}/events"), 404)
    api.vendor(f"closeio/{encoded(number)}", {})
    assert ids(api.events()) == made


def test_switched_off_and_on_again(api, sandbox):
    number = api.listening()
    for enabled, expected in ((False, 0), (True, 1)):
        change = {"configuration": {**EVENTS_ON, "event.notification.enabled": enabled}}
        assert api("PATCH", f"/instances/{number}", json=change).status_code == 200
        assert len(sandbox.emit(number)) == expected


def test_an_event_remembers_its_instance_as_it_was(api, sandbox):
    number = api.listening(callback=OUTSIDE)
    sandbox.emit(number)
    api("PATCH", f"/instances/{number}", json={"name": "Another", "tags": ["t"]})
    sandbox.emit(number)
    messages = [event["notifiedData"][0]["message"] for event in api.events()]
    assert [(one["instanceName"], one["instanceTags"]) for one in messages] == [
        ("Another", ["t"]),
        ("An instance", ["An instance"]),
    ]


@pytest.mark.parametrize(
    "change",
    [{"event_order": "random"}, {"events_kept": 0}, {"event_visible_after": -1}, {"split_events": 1}],
)
def test_settings_that_do_not_fit(sandbox, change):
    with pytest.raises(SandboxError, match="400"):
        sandbox.configure(**change)


def test_what_was_left_out_says_so(api):
    for path in ("/instances/event-poller-records", "/instances/1/objects"):
        assert api("GET", path).status_code == 404
