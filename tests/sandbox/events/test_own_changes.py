"""Changes through the API become events, at once or when the poller comes: facts F211, F220."""

import time

import pytest

from airflow_provider_cloudelements.sandbox import SandboxError
from tests.support.patience import wait_for

OUTSIDE = "https://app.example/events"


def told(event):
    return [
        (row["objectType"], row["objectId"], row["eventType"])
        for row in event["notifiedData"][0]["message"]["events"]
    ]


def tokens(api, element, **configuration):
    number = api.listening(element, callback=OUTSIDE, **configuration)
    return number, api.show(number)["token"]


def test_a_vendor_that_calls_tells_of_every_change(api):
    number, token = tokens(api, "microsoftgraph")
    record = api("POST", "/events", token=token, json={"subject": "x"}).json()["id"]
    api("PATCH", f"/hubs/general/events/{record}", token=token, json={"subject": "y"})
    api("PUT", f"/events/{record}", token=token, json={"subject": "z"})
    api("DELETE", f"/events/{record}", token=token)
    assert [told(event) for event in api.events(number)][::-1] == [
        [("events", record, kind)] for kind in ("CREATED", "UPDATED", "UPDATED", "DELETED")
    ]
    raw = api.events()[0]["notifiedData"][0]["message"]["raw"]
    assert raw["value"][0]["changeType"] == "deleted"


def test_without_events_changes_are_nobodys_business(api, sandbox):
    token = api.create()["token"]
    api("POST", "/leads", token=token, json={})
    assert sandbox.event_counters() == {"accepted": 0, "dropped": {}, "kept": 0, "visible": 0}


def test_a_poll_finds_what_was_created_and_updated(api, sandbox):
    number, token = tokens(api, "sfdc")
    leads = [api("POST", "/leads", token=token, json={"n": n}).json()["id"] for n in range(12)]
    api("PATCH", f"/leads/{leads[0]}", token=token, json={"n": "new"})
    (account, *_) = api("GET", "/accounts", token=token).json()
    api("PATCH", f"/accounts/{account['id']}", token=token, json={"n": 1})
    gone = api("POST", "/contacts", token=token, json={}).json()["id"]
    api("DELETE", f"/contacts/{gone}", token=token)
    assert api.events() == []
    made = sandbox.poll(number)
    accounts, second, first = api.events(number)
    assert [first["id"], second["id"], accounts["id"]] == made
    assert told(first) == [("leads", leads[0], "UPDATED")] + [
        ("leads", one, "CREATED") for one in leads[1:10]
    ]
    assert told(second) == [("leads", one, "CREATED") for one in leads[10:]]
    assert told(accounts) == [("accounts", account["id"], "UPDATED")]
    raw = first["notifiedData"][0]["message"]["raw"]
    assert raw == second["notifiedData"][0]["message"]["raw"]
    assert (raw["objectType"], len(raw["leads"])) == ("leads", 12)
    assert raw["leads"][0]["n"] == "new"
    # What was told is not told again; a new change is.
    assert sandbox.poll(number) == []
    api("PATCH", f"/leads/{leads[1]}", token=token, json={"n": 1})
    sandbox.poll(number)
    assert told(api.events(number)[0]) == [("leads", leads[1], "UPDATED")]


def test_the_poller_comes_by_itself(api, sandbox):
    sandbox.configure(time_factor=0.002)
    number, token = tokens(api, "sfdc", **{"event.poller.refresh_interval": 1})
    for expected in (1, 2):
        api("POST", "/leads", token=token, json={})
        wait_for(lambda expected=expected: len(api.events(number)) == expected)


def test_between_two_polls_nothing_is_told(api, sandbox):
    number, token = tokens(api, "sfdc", **{"event.poller.refresh_interval": "15"})
    api("POST", "/leads", token=token, json={})
    time.sleep(0.2)
    assert api.events(number) == []


@pytest.mark.parametrize("block", ["off", "disabled", "revoked"])
def test_what_cannot_be_polled_now_is_found_later(api, sandbox, block):
    sandbox.configure(failed_refresh_interval=1000)
    number, token = tokens(api, "sfdc", **{"event.poller.refresh_interval": 100_000})
    api("POST", "/leads", token=token, json={})
    turn = {"configuration": {"event.notification.enabled": block != "off"}}
    api("PATCH", f"/instances/{number}", json=turn)
    sandbox.set_instance(number, disabled=block == "disabled", valid=block != "revoked")
    sandbox.configure(time_factor=0.00000002)
    assert sandbox.poll(number) == []
    time.sleep(0.3)
    assert api.events() == []
    sandbox.set_instance(number, disabled=False, valid=True)
    api("PATCH", f"/instances/{number}", json={"configuration": {"event.notification.enabled": True}})
    wait_for(lambda: len(api.events(number)) == 1)


@pytest.mark.parametrize(
    "configuration",
    [{"event.objects": "accounts, contacts"}, {"event.poller.configuration": {"accounts": {"url": "/x"}}}],
)
def test_only_the_configured_resources_are_polled(api, sandbox, configuration):
    number, token = tokens(api, "sfdc", **configuration)
    api("POST", "/leads", token=token, json={})
    api("POST", "/accounts", token=token, json={})
    sandbox.poll(number)
    (event,) = api.events()
    assert told(event)[0][0] == "accounts"


@pytest.mark.parametrize("text", ["", "nonsense", "[1]", "{}", "-5", "nan"])
def test_odd_configuration_is_the_default(api, sandbox, text):
    keys = dict.fromkeys(
        ("event.objects", "event.poller.configuration", "event.poller.refresh_interval"), text
    )
    number, token = tokens(api, "sfdc", **{**keys, "event.objects": " , "})
    api("POST", "/leads", token=token, json={})
    assert len(sandbox.poll(number)) == 1


@pytest.mark.parametrize(
    ("element", "kind", "by"),
    [
        ("sfdc", None, "polling"),
        ("sfdc", "webhook", "webhook"),
        ("sfdc", "webhooks", "webhook"),
        ("closeio", None, "webhook"),
        ("closeio", "polling", "polling"),
    ],
)
def test_who_is_polled(api, sandbox, element, kind, by):
    number, token = tokens(api, element, **{"event.vendor.type": kind})
    (row,) = sandbox.instances()
    assert row["eventsBy"] == by
    api("POST", "/leads", token=token, json={})
    assert len(api.events(number)) == (1 if by == "webhook" else 0)
    assert len(sandbox.poll(number)) == (0 if by == "webhook" else 1)


def test_a_deleted_instance_is_not_polled(api, sandbox):
    sandbox.configure(time_factor=0.002)
    number, token = tokens(api, "sfdc", **{"event.poller.refresh_interval": 1})
    api("POST", "/leads", token=token, json={})
    api("DELETE", f"/instances/{number}")
    before = api.events()
    time.sleep(0.3)
    assert api.events() == before
    with pytest.raises(SandboxError, match="404"):
        sandbox.poll(number)
