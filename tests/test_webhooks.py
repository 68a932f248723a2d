"""The webhook's connection, its assets' names, and the way back from an asset event to a notification."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset, Connection

from airflow_provider_cloudelements import webhooks
from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.events.signature import SIGNATURE_HEADER, sign
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConnectionError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.keys import EVENT_CALLBACK_URL, EVENT_SIGNATURE_KEY
from airflow_provider_cloudelements.operators.events import CloudElementsEnableEventsOperator
from airflow_provider_cloudelements.webhooks import (
    DEFAULT_WEBHOOK_CONN_ID,
    WebhookSettings,
    notification_of,
    webhook_asset_of_element,
    webhook_asset_of_instance,
    webhook_connection,
)
from tests.support.context import context_of
from tests.support.platform import Person
from tests.support.programs import needs
from tests.support.relay import relaying

KEY = "a-signature-key/1+2="
BODY = {
    "id": "1496771",
    "topic": "instance-12-microsoftgraph-events",
    "createdDate": "Mon Aug 20 15:30:07 UTC 2018",
    "message": {
        "elementKey": "microsoftgraph",
        "eventId": "AWVX9OTIhdQRdI1F7Q7v",
        "instanceId": 12,
        "raw": {"subject": "private"},
        "events": [{"objectId": "2|0", "objectType": "events", "eventType": "updated"}],
    },
}
EXTRA = {
    "from_webhook": True,
    "webhook": "cloudelements",
    "path": "instance-12-microsoftgraph-events",
    "delivery_id": "AWVX9OTIhdQRdI1F7Q7v",
    "payload": BODY,
    "payload_truncated": False,
}


def connection_of(conn_id=DEFAULT_WEBHOOK_CONN_ID, **changes):
    """Return an Airflow connection as an environment variable of ours makes it."""
    fields = webhook_connection(signature_key=KEY)
    fields["extra"] = {**fields["extra"], **changes.pop("extra", {})}
    return Connection.from_json(json.dumps({**fields, **changes}), conn_id=conn_id)


# -- the connection ---------------------------------------------------------------------------------


def test_each_connection_has_a_key_of_its_own():
    keys = {webhook_connection()["password"] for _ in range(20)}
    assert len(keys) == 20
    assert all(
        len(key) >= 43 and key.isascii() and key.replace("-", "").replace("_", "").isalnum() for key in keys
    )


def test_the_connection_that_is_made_is_the_one_that_is_read():
    settings = WebhookSettings.from_connection(connection_of())
    assert (settings.name, settings.signature_key, settings.callback_url) == ("cloudelements", KEY, None)
    made = webhook_connection(callback_url="https://hooks.example.com/airflow/ce")
    settings = WebhookSettings.from_connection(
        Connection.from_json(json.dumps(made), conn_id="webhook_other-name_2")
    )
    assert settings.name == "other-name_2"
    assert settings.address() == "https://hooks.example.com/airflow/ce"
    assert settings.signature_key == made["password"]


def test_neither_key_nor_address_is_in_the_repr():
    made = connection_of(extra={"callback_url": "https://hooks.example.com/?token=url-token"})
    shown = repr(WebhookSettings.from_connection(made))
    assert KEY not in shown
    assert "url-token" not in shown


@pytest.mark.parametrize("key", ["", "with space", "tab\t", "ä" * 20, 12, b"bytes", "***"])
def test_a_key_that_both_sides_may_read_otherwise_is_refused(key):
    with pytest.raises(CloudElementsValidationError, match="signature_key") as caught:
        webhook_connection(signature_key=key)
    assert not str(key) or str(key) not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com",
        "ftp://x",
        "/webhooks/cloudelements",
        3,
        " https://hooks.example.com/x",
        "https://hooks.example.com/x ",
        "https://hooks example.com/x",
        "https://***@hooks.example.com/x",
    ],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(CloudElementsValidationError, match="callback_url"):
        webhook_connection(callback_url=url)


@pytest.mark.parametrize("stored", ["summary", "", None, ["none"]])
def test_what_is_stored_is_all_or_nothing(stored):
    assert "store_payload" not in webhook_connection()["extra"]  # the receiver's own default
    assert webhook_connection(store_payload="none")["extra"]["store_payload"] == "none"
    for each in ("full", "summary", "none", "", None):
        assert WebhookSettings.from_connection(connection_of(extra={"store_payload": each}))
    with pytest.raises(CloudElementsValidationError, match="store_payload must be one of 'full', 'none'"):
        webhook_connection(store_payload=stored)


WRONG = {
    "another type": ({"conn_type": "http"}, "conn_type"),
    "no key": ({"password": ""}, "password"),
    "a key with a space": ({"password": "secret key"}, "password"),
    "asterisks": ({"password": "***"}, "password"),
    **{f"another {name}": ({"extra": {name: "secret-x"}}, name) for name in webhooks.SOURCE},
    **{f"no {name}": ({"extra": {name: None}}, name) for name in webhooks.SOURCE},
    "another part of the payload": ({"extra": {"store_payload": "secret-x"}}, "store_payload"),
    "the payload's part as a list": ({"extra": {"store_payload": ["none"]}}, "store_payload"),
    "no address": ({"extra": {"callback_url": "secret-x"}}, "callback_url"),
}


@pytest.mark.parametrize(("changes", "field"), WRONG.values(), ids=WRONG)
def test_a_connection_by_which_nothing_would_arrive_is_refused(changes, field):
    with pytest.raises(
        CloudElementsConnectionError, match=f"'webhook_cloudelements', field '{field}'"
    ) as caught:
        WebhookSettings.from_connection(connection_of(**changes))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "conn_id", ["cloudelements", "webhook_", "webhook_Upper", "webhook_a/b", "webhook_" + "a" * 65]
)
def test_an_id_that_is_no_webhooks_is_refused(conn_id):
    with pytest.raises(CloudElementsConnectionError, match="connection_id"):
        WebhookSettings.from_connection(connection_of(conn_id))


@pytest.mark.parametrize("extra", ["{", "[]", '"x"', "[" * 100_000])
def test_an_extra_that_is_no_object_is_refused(extra):
    made = SimpleNamespace(
        conn_id=DEFAULT_WEBHOOK_CONN_ID, conn_type="inbound_webhook", password=KEY, extra=extra
    )
    with pytest.raises(CloudElementsConnectionError, match="extra"):
        WebhookSettings.from_connection(made)


@pytest.mark.parametrize(
    ("base", "address"),
    {
        "https://airflow.example.com": "https://airflow.example.com/webhooks/cloudelements",
        "https://airflow.example.com/team/": "https://airflow.example.com/team/webhooks/cloudelements",
    }.items(),
)
def test_without_an_address_it_is_that_of_the_api_server(monkeypatch, base, address):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
    assert WebhookSettings.from_connection(connection_of()).address() == address


@pytest.mark.parametrize("base", ["", "/", "airflow.example.com"])
def test_an_api_server_without_an_address_is_told(monkeypatch, base):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
    with pytest.raises(CloudElementsValidationError, match="base_url"):
        WebhookSettings.from_connection(connection_of()).address()


# -- the assets -------------------------------------------------------------------------------------


def test_the_names_of_the_assets():
    of_one = webhook_asset_of_instance(12, "microsoftgraph")
    assert isinstance(of_one, Asset)
    assert of_one.name == "cloudelements/instance-12-microsoftgraph-events/microsoftgraph"
    assert webhook_asset_of_instance("12", "microsoftgraph") == of_one
    assert webhook_asset_of_element("microsoftgraph").name == "cloudelements/*/microsoftgraph"
    assert webhook_asset_of_element("sfdc", webhook="other").name == "other/*/sfdc"


@pytest.mark.parametrize("instance_id", [True, 0, -1, "", "x", "1 ", "12/*", 1.5, None, "٣", "0012"])
def test_an_id_that_is_none_is_refused(instance_id):
    with pytest.raises(CloudElementsValidationError, match="instance_id"):
        webhook_asset_of_instance(instance_id, "sfdc")


@pytest.mark.parametrize("element", ["", "a/b", "*", "with space", "é", None, 3, "None"])
def test_an_element_that_the_receiver_would_write_otherwise_is_refused(element):
    for make in (webhook_asset_of_element, lambda key: webhook_asset_of_instance(1, key)):
        with pytest.raises(CloudElementsValidationError, match="element"):
            make(element)


@pytest.mark.parametrize("webhook", ["", "Upper", "a/b", "a" * 65, None])
def test_a_webhook_that_cannot_be_is_refused(webhook):
    with pytest.raises(CloudElementsValidationError, match="webhook"):
        webhook_asset_of_element("sfdc", webhook=webhook)


# -- the notification -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [lambda extra: SimpleNamespace(extra=extra), lambda extra: {"extra": extra}])
def test_an_asset_event_becomes_its_notification(form):
    notification = notification_of(form(EXTRA))
    assert notification.event_id == "AWVX9OTIhdQRdI1F7Q7v"
    assert (notification.instance_id, notification.element_key) == (12, "microsoftgraph")
    assert str(notification.created_date) == "2018-08-20 15:30:07+00:00"
    (event,) = notification.events
    assert (event.object_id, event.event_type) == ("2|0", "UPDATED")


def test_without_its_payload_it_says_where_something_happened():
    notification = notification_of({"extra": {**EXTRA, "payload": None, "payload_truncated": True}})
    assert notification.event_id == "AWVX9OTIhdQRdI1F7Q7v"
    assert (notification.instance_id, notification.element_key) == (12, "microsoftgraph")
    assert notification.events == ()
    notification = notification_of({"extra": {**EXTRA, "payload": None, "path": "elsewhere"}})
    assert (notification.instance_id, notification.element_key) == (None, None)
    notification = notification_of({"extra": {**EXTRA, "payload": None, "path": None}})
    assert notification.topic is None


NONE = {
    "no extra": {},
    "by hand": {"extra": {"payload": BODY}},
    "another maker": {"extra": {**EXTRA, "from_webhook": "yes"}},
    "neither payload nor id": {"extra": {**EXTRA, "payload": None, "delivery_id": None}},
    "another sender's": {"extra": {**EXTRA, "payload": {"action": "labeled"}}},
    "a text": {"extra": {**EXTRA, "payload": "text"}},
    "null": None,
}


@pytest.mark.parametrize("event", NONE.values(), ids=NONE)
def test_another_asset_event_is_refused(event):
    with pytest.raises(CloudElementsValidationError, match="asset event"):
        notification_of(event)


# -- turning events on ------------------------------------------------------------------------------

BASE = "https://airflow.example.com"
HERE = f"{BASE}/webhooks/cloudelements"


@pytest.fixture
def enable(cloudelements_sandbox, monkeypatch):
    """Give a function that turns on the events of a new instance and returns its PATCH's configuration."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", BASE)
    monkeypatch.setenv(
        "AIRFLOW_CONN_WEBHOOK_CLOUDELEMENTS", json.dumps(webhook_connection(signature_key=KEY))
    )
    instance_id = Person(cloudelements_sandbox).make("basic")
    with relaying(cloudelements_sandbox) as relay:
        connection = {**cloudelements_sandbox.connection(), "host": relay.url}
        monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))

        def turn_on(**arguments):
            operator = CloudElementsEnableEventsOperator(
                task_id="on",
                instance_id=instance_id,
                **{"webhook_conn_id": DEFAULT_WEBHOOK_CONN_ID, **arguments},
            )
            try:
                operator.execute(context_of())
            except AirflowFailException:
                assert relay.bodies("PATCH") == [], "nothing is written where anything is wrong"
                raise
            return [each["configuration"] for each in relay.bodies("PATCH")]

        yield turn_on


@pytest.fixture
def element_connection(monkeypatch):
    """Give a function that makes an element connection with some extra."""

    def make(**extra):
        connection = {"conn_type": "cloudelements_element", "extra": {"authentication": "custom", **extra}}
        monkeypatch.setenv("AIRFLOW_CONN_VENDOR", json.dumps(connection))
        return "vendor"

    return make


def with_address(monkeypatch, url):
    made = webhook_connection(signature_key=KEY, callback_url=url)
    monkeypatch.setenv("AIRFLOW_CONN_WEBHOOK_CLOUDELEMENTS", json.dumps(made))


def test_callback_and_key_are_the_webhooks(enable):
    (written,) = enable()
    assert {key: written[key] for key in (EVENT_CALLBACK_URL, EVENT_SIGNATURE_KEY)} == {
        EVENT_CALLBACK_URL: HERE,
        EVENT_SIGNATURE_KEY: KEY,
    }


def test_the_second_time_nothing_is_written(enable):
    assert len(enable()) == 1
    assert len(enable()) == 1


PUBLIC = "https://hooks.example.com/ce?token=url-token"


def test_the_public_address_is_what_the_connection_says(enable, monkeypatch):
    with_address(monkeypatch, PUBLIC)
    monkeypatch.delenv("AIRFLOW__API__BASE_URL")
    assert enable()[0][EVENT_CALLBACK_URL] == PUBLIC


def test_the_public_address_is_what_the_argument_says(enable):
    assert enable(event_callback_url=PUBLIC)[0][EVENT_CALLBACK_URL] == PUBLIC


def test_the_same_said_three_times_is_no_contradiction(enable, monkeypatch, element_connection):
    with_address(monkeypatch, PUBLIC)
    conn_id = element_connection(event_callback_url=PUBLIC, event_signature_secret=KEY)
    (written,) = enable(event_callback_url=PUBLIC, element_conn_id=conn_id)
    assert (written[EVENT_CALLBACK_URL], written[EVENT_SIGNATURE_KEY]) == (PUBLIC, KEY)


OTHER = "https://other.example.com/secret-path"


@pytest.mark.parametrize(
    ("arguments", "extra", "reason"),
    [
        ({"event_signature_key": "secret-other"}, {}, "webhook_conn_id or event_signature_key"),
        ({"event_signature_key": KEY}, {}, "webhook_conn_id or event_signature_key"),
        ({"event_callback_url": None}, {}, "event_callback_url=None"),
        ({"event_callback_url": OTHER}, {}, "event_callback_url and callback_url of connection"),
        ({}, {"event_callback_url": OTHER}, "The callback URL differs"),
        ({}, {"event_signature_secret": "secret-other"}, "say two signature keys"),
    ],
)
def test_arguments_that_contradict_the_webhook_are_refused(
    enable, monkeypatch, element_connection, arguments, extra, reason
):
    with_address(monkeypatch, PUBLIC)
    if extra:
        arguments = {**arguments, "element_conn_id": element_connection(**extra)}
    with pytest.raises(AirflowFailException, match=reason) as caught:
        enable(**arguments)
    assert isinstance(caught.value.__cause__, CloudElementsValidationError)
    assert not {each for each in ("secret", KEY, "token") if each in str(caught.value)}


def test_a_connection_of_another_webhook_is_refused(enable, monkeypatch):
    made = webhook_connection(signature_key=KEY)
    made["extra"]["source_type"] = "github"
    monkeypatch.setenv("AIRFLOW_CONN_WEBHOOK_CLOUDELEMENTS", json.dumps(made))
    with pytest.raises(AirflowFailException, match="source_type") as caught:
        enable()
    assert isinstance(caught.value.__cause__, CloudElementsConnectionError)


def test_a_webhook_that_a_template_left_empty_is_told(enable):
    with pytest.raises(AirflowFailException, match="webhook_conn_id is empty"):
        enable(webhook_conn_id="")


def test_without_an_address_of_the_api_server_it_asks_for_one(enable, monkeypatch):
    monkeypatch.delenv("AIRFLOW__API__BASE_URL")
    with pytest.raises(AirflowFailException, match="base_url"):
        enable()


# -- the receiver itself ----------------------------------------------------------------------------


@pytest.fixture
def receiver():
    """Return the receiver's modules, without a server."""
    needs(
        "airflow-provider-inbound-webhooks (the extra 'webhooks')",
        Path(sys.prefix).glob("lib/python*/site-packages/airflow_inbound_webhooks"),
    )
    from airflow_inbound_webhooks import connection_form, naming, sources, topics

    return SimpleNamespace(form=connection_form, naming=naming, sources=sources, topics=topics)


def test_the_receiver_takes_what_the_platform_signs(receiver):
    from starlette.datastructures import Headers

    source = receiver.sources.HmacJsonSource.from_extra(webhooks.SOURCE)
    body = b"<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>"
    published = "sha256=jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ="
    source.verify(Headers({SIGNATURE_HEADER: published}), body, "MySecretEventSignatureKey")
    body = json.dumps(BODY).encode()
    headers = Headers({SIGNATURE_HEADER: sign(body, KEY), "content-type": "application/json; charset=UTF-8"})
    source.verify(headers, body, KEY)
    event = source.parse(headers, body)
    assert event.delivery_id == "AWVX9OTIhdQRdI1F7Q7v"
    with pytest.raises(receiver.sources.WebhookVerificationError):
        source.verify(headers, body + b" ", KEY)


@pytest.mark.parametrize("element", ["microsoftgraph", "sfdc", "a.b-c_d", "Netsuite(v2)"])
def test_the_receiver_offers_the_assets_that_are_named_here(receiver, element):
    event = receiver.sources.WebhookEvent(
        path=f"instance-12-{element}-events", kinds=[(element,)], delivery_id="x", payload={}
    )
    offered = receiver.naming.build_candidate_names("cloudelements", event)
    named = [webhook_asset_of_element(element), webhook_asset_of_instance(12, element)]
    assert sorted(offered) == sorted(each.name for each in named)
    for asset in named:
        topic = receiver.topics.WebhookTopic(asset.name)
        assert (topic.name, topic.uri, topic.group) == (asset.name, asset.uri, asset.group)


def test_the_receiver_knows_each_of_its_options(receiver):
    assert receiver.form.CONN_TYPE == webhooks.CONN_TYPE
    known = {each.name for each in receiver.form.FIELDS}
    assert set(webhooks.SOURCE) <= known
    assert webhooks.CALLBACK_URL not in known


# -- the page ---------------------------------------------------------------------------------------


def test_the_receiver_of_the_page_takes_what_is_signed_and_nothing_else():
    text = (Path(__file__).resolve().parents[1] / "docs" / "webhooks.md").read_text()
    (sample,) = (
        each for each in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def receive" in each
    )
    scope = {}
    exec(sample, scope)  # noqa: S102  the project's own page
    receive, seen = scope["receive"], set()
    body = json.dumps(BODY).encode()
    for _ in range(2):
        assert receive({SIGNATURE_HEADER: sign(body, KEY)}, body, KEY, seen) == 200
    for name in (SIGNATURE_HEADER.lower(), SIGNATURE_HEADER.upper()):
        assert receive({"content-length": "1", name: sign(body, KEY)}, body, KEY, seen) == 200
    assert [event_id for event_id, _ in seen] == ["AWVX9OTIhdQRdI1F7Q7v"]
    other = json.dumps({**BODY, "message": {**BODY["message"], "instanceId": 13}}).encode()
    assert receive({SIGNATURE_HEADER: sign(other, KEY)}, other, KEY, seen) == 200
    assert len(seen) == 2, "the same event of another instance"
    for wrong in (b"{", b"[]", b"[" * 100_000, b"\xff", b"{}"):
        assert receive({SIGNATURE_HEADER: sign(wrong, KEY)}, wrong, KEY, seen) == 400
    for headers in ({}, {SIGNATURE_HEADER: sign(body, "another-key")}):
        assert receive(headers, body, KEY, seen) == 401
