"""The notifications API: facts F259 to F265. And the account's settings: F255, F258."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import RELAXED, VALUES, check
from tests.support.patience import wait_for

POLICY = "notification.webhook.failure.policy"
NEWS = {"severity": "low", "topic": "news", "message": "hello", "from": "me"}


def subscribe(api, url, *topics, channel="webhook"):
    body = {"channel": channel, "topics": list(topics), "config": {"url": url}}
    answer = api("POST", "/notifications/subscriptions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def notify(api, **fields):
    answer = api("POST", "/notifications", json={**NEWS, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_notification_from_beginning_to_end(api):
    made = notify(api)
    assert isinstance(made["id"], int)
    assert {name: made[name] for name in NEWS} == NEWS
    assert (made["active"], made["acknowledged"]) == (True, False)
    assert made["createdDate"].endswith("Z")
    path = f"/notifications/{made['id']}"
    assert api("GET", path).json() == made
    assert api("GET", "/notifications", params={"topics[]": "news"}).json() == [made]
    assert api("PUT", f"{path}/acknowledge").json() == {**made, "acknowledged": True}
    assert api("GET", path).json()["acknowledged"] is True
    answer = api("DELETE", path)
    assert (answer.status_code, answer.content) == (200, b"")
    for method, rest in (
        ("GET", ""),
        ("DELETE", ""),
        ("PUT", "/acknowledge"),
        ("GET", "/subscriptions/deliveries"),
    ):
        api.refused(api(method, path + rest), 404)
    assert api("GET", "/notifications", params={"topics[]": "news"}).json() == []


def test_a_list_wants_topics(api):
    for query in ("", "?topics[]=", "?topic=news"):
        api.refused(api("GET", f"/notifications{query}"), 400)
    assert api("GET", "/notifications?topics[]=nobody").json() == []


def test_pages_of_several_topics(api):
    made = [notify(api, topic=topic) for topic in ("a", "b", "c", "a")]
    seen, token = [], None
    while True:
        query = {"topics[]": ["a", "b"], "pageSize": 2, "nextPage": token}
        answer = api("GET", "/notifications", params=query)
        seen += answer.json()
        token = answer.headers.get("Elements-Next-Page-Token")
        if token is None:
            break
    assert seen == [made[0], made[1], made[3]]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"severity": "low", "message": "x", "from": "me"},
        {"topic": ""},
        {"topic": None},
        {"topic": 5},
        {"topic": "a", "severity": "urgent"},
        {"topic": "a", "severity": 1},
        {"topic": "a", "from": 5},
    ],
)
def test_notifications_that_are_refused(api, body):
    api.refused(api("POST", "/notifications", json=body), 400)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"channel": "webhook", "topics": ["a"], "config": {"url": ""}},
        {"channel": "webhook", "topics": ["a"], "config": {"url": None}},
        {"channel": "webhook", "topics": ["a"], "config": {}},
        {"channel": "webhook", "topics": ["a"]},
        {"channel": "webhook", "topics": ["a"], "config": {"url": 5}},
        {"channel": "webhook", "topics": ["a"], "config": "x"},
        {"channel": "pigeon", "topics": ["a"], "config": {"url": "x"}},
        {"channel": "webhook", "topics": [], "config": {"url": "x"}},
        {"channel": "webhook", "topics": "a", "config": {"url": "x"}},
        {"channel": "webhook", "topics": [""], "config": {"url": "x"}},
        {"channel": "webhook", "config": {"url": "x"}},
    ],
)
def test_subscriptions_that_are_refused(api, body):
    api.refused(api("POST", "/notifications/subscriptions", json=body), 400)


def test_a_subscription_from_beginning_to_end(api, sandbox, receiver):
    made = subscribe(api, receiver.url, "news", "other")
    assert isinstance(made["id"], int)
    assert made["active"] is True
    path = f"/notifications/subscriptions/{made['id']}"
    assert api("GET", path).json() == made
    assert api("GET", "/notifications/subscriptions").json() == [made]
    assert api("GET", "/notifications/subscriptions/deliveries").json() == []
    assert (api("DELETE", path).status_code, api("DELETE", path).status_code) == (200, 404)
    api.refused(api("GET", path), 404)
    notify(api)
    assert sandbox.deliveries() == receiver.got == []


def test_a_delivery_exists_when_the_notification_is_answered(api, sandbox, receiver):
    one = subscribe(api, receiver.url, "news")
    two = subscribe(api, f"{receiver.url}&two", "other", "news")
    mail = subscribe(api, None, "news", channel="email")
    made = notify(api)
    path = f"/notifications/{made['id']}/subscriptions"
    rows = api("GET", f"{path}/deliveries").json()
    assert [row["subscriptionId"] for row in rows] == [one["id"], two["id"], mail["id"]]
    assert rows[0].keys() == {"notificationId", "subscriptionId", "status", "createdDate", "updatedDate"}
    assert rows[2]["status"] == "notified"
    wait_for(lambda: api("GET", f"{path}/{one['id']}/deliveries").json()["status"] == "delivered")
    row = api("GET", f"{path}/{one['id']}/deliveries?hydrate=true").json()
    assert (row["notification"], row["subscription"]) == (made, one)
    wait_for(lambda: len(receiver.got) == 2)
    body = receiver.bodies()[0]
    assert (body["id"], body["message"], body["topic"]) == (str(made["id"]), "hello", "news")
    assert (body["severity"], body["user"]) == ("low", "me")
    assert "Elements-Webhook-Signature" not in receiver.got[0][1]
    for number in (1, "x"):
        api.refused(api("GET", f"{path}/{number}/deliveries"), 404)
    api.refused(api("GET", f"/notifications/1/subscriptions/{one['id']}/deliveries"), 404)


def test_an_instances_subscription_and_one_of_ones_own(api, sandbox, receiver):
    number = api.listening(callback=receiver.url)
    topic = f"instance-{number}-closeio-events"
    (own,) = api("GET", "/notifications/subscriptions").json()
    assert (own["topics"], own["config"], own["channel"]) == ([topic], {"url": receiver.url}, "webhook")
    subscribe(api, f"{receiver.url}&second", topic)
    (event_id,) = sandbox.emit(number)
    wait_for(lambda: len(receiver.got) == 2)
    (shown,) = api("GET", "/notifications", params={"topics[]": topic}).json()
    assert shown["message"]["eventId"] == event_id
    assert (shown["from"], shown["severity"]) == ("notifications@cloud-elements.com", "medium")
    # Without a callback a subscription of one's own is enough to be notified.
    quiet = api.listening()
    subscribe(api, receiver.url, f"instance-{quiet}-closeio-events")
    sandbox.emit(quiet)
    wait_for(lambda: len(receiver.got) == 3)
    assert api.events(quiet)[0]["status"] == "NOTIFIED"


def test_deliveries_by_where(api, sandbox, receiver):
    subscribe(api, receiver.url, "a")
    subscribe(api, f"{receiver.url}&b=1", "b")
    subscribe(api, "https://app.example/x", "c")
    for topic in "abc":
        notify(api, topic=topic)
    wait_for(lambda: len([row for row in sandbox.deliveries() if row["status"] == "delivered"]) == 2)
    path = "/notifications/subscriptions/deliveries"
    for where, count in {
        "": 3,
        "status='delivered'": 2,
        "channel='webhook' and status='created'": 1,
        f"config.url='{receiver.url}'": 1,
        f"config.url LIKE '{receiver.url}%' OR topic = 'c'": 3,
        "channel IN ('sms')": 0,
    }.items():
        assert len(api("GET", path, params={"where": where}).json()) == count, where
    answer = api("GET", path, params={"pageSize": 2})
    assert len(answer.json()) == 2
    assert answer.headers["Elements-Next-Page-Token"]
    api.refused(api("GET", path, params={"where": "x ="}), 400)
    api.refused(api("PUT", path), 400)
    # What was delivered is not sent again.
    assert len(api("PUT", path, params={"where": "status='delivered'"}).json()) == 2
    assert len(receiver.got) == 2


def test_the_policy_of_the_account(api):
    assert api("GET", "/accounts/settings").json() == {POLICY: "retry"}
    assert api("PATCH", "/accounts/settings", json={POLICY: "queue"}).json() == {POLICY: "queue"}
    for method in ("POST", "PATCH"):
        answer = api(method, "/accounts/31/settings", json={POLICY: "retry", "own": 1})
        assert answer.json() == {POLICY: "retry", "own": 1}
        api.refused(api(method, "/accounts/32/settings", json={POLICY: "queue"}), 403)
        api.refused(api(method, "/accounts/x/settings", json={POLICY: "queue"}), 403)
    for body in ({}, {POLICY: "perhaps"}, {POLICY: None}, {str(n): n for n in range(300)}):
        api.refused(api("PATCH", "/accounts/settings", json=body), 400)
    assert api("GET", "/accounts/settings").json()[POLICY] == "retry"


def test_a_stale_element_token_changes_nothing(api):
    token = api.create()["token"]
    assert api("GET", "/accounts/settings", token=token).json() == {POLICY: "retry"}
    assert api("GET", "/notifications?topics[]=x", token="stale").json() == []
    api.refused(api("GET", "/notifications?topics[]=x", headers={"Authorization": None}), 401)


@RELAXED
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    path=st.sampled_from(
        [
            "/notifications",
            "/notifications/subscriptions",
            "/notifications/subscriptions/deliveries",
            "/notifications/1/subscriptions/2/deliveries",
            "/notifications/x/acknowledge",
            "/accounts/settings",
            "/accounts/31/settings",
            "/instances/events",
            "/instances/events/analytics",
            "/instances/events/dispositions",
        ]
    ),
    body=st.dictionaries(
        st.sampled_from(["topic", "topics", "severity", "message", "from", "channel", "config", POLICY]),
        VALUES | st.sampled_from(["webhook", "low", ["a"], {"url": "http://127.0.0.1:1/"}, {"url": "x"}]),
    ),
    query=st.dictionaries(
        st.sampled_from(["topics[]", "where", "hydrate", "pageSize", "nextPage", "from", "to", "interval"]),
        st.text(max_size=12) | st.sampled_from(["a", "status='created'", "2026-01-01", "minute", "true"]),
    ),
)
def test_fuzz(api, sandbox, method, path, body, query):
    check(api, api(method, path, params=query, data=json.dumps(body)))
    sandbox.reset()


def test_odd_addresses_harm_nobody(api, sandbox):
    for url in ("http://[", "http://127.0.0.1:x/", "\ud800", "http://\udc80/", "http://127.0.0.1:1/\u20ac"):
        text = json.dumps({"topics": ["news"], "config": {"url": url}})
        answer = api("POST", "/notifications/subscriptions", data=text)
        assert answer.status_code == 200, answer.text
    notify(api)
    wait_for(lambda: [row["status"] for row in sandbox.deliveries()].count("retry") >= 1)
    assert len(sandbox.deliveries()) == 5
