"""Typed event settings become configuration keys; an error names the setting, never its value."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.models import ElementMetadata, Instance
from airflow_provider_cloudelements.events.settings import EventSettings, unsupported
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.provisioning.difference import same_value
from tests.support.hidden import assert_hidden, shown

RESOURCE = {
    "url": "/hubs/crm/contacts?where=lastModified>='${gmtDate:yyyy-MM-dd}'",
    "idField": "id",
    "filterByUpdatedDate": True,
    "datesConfiguration": {
        "updatedDateField": "updated",
        "updatedDateFormat": "yyyy-MM-dd'T'HH:mm:ss",
        "updatedDateTimezone": "GMT",
        "createdDateField": "created",
        "createdDateFormat": "milliseconds",
        "createdDateTimezone": "GMT",
    },
    "createdCheckTolerance": 10,
    "pageSize": 200,
    "pollDelay": 0,
}
EVERYTHING: dict[str, Any] = {
    "enabled": True,
    "callback_url": "https://receiver.example/hook?token=callback-secret",
    "signature_key": "signature-secret",
    "vendor_type": "polling",
    "poller_interval": 5,
    "poller_configuration": {"contacts": RESOURCE, "leads": {"url": "/hubs/crm/leads"}},
    "poller_urls": ["contacts", "leads"],
    "objects": ["contacts", "leads"],
}


def refused(**settings: Any) -> str:
    with pytest.raises(CloudElementsValidationError) as caught:
        EventSettings(**settings)
    assert caught.value.retryable is False
    return str(caught.value)


def test_everything_becomes_its_key() -> None:
    assert EventSettings(**EVERYTHING).configuration() == {
        "event.notification.enabled": True,
        "event.notification.callback.url": "https://receiver.example/hook?token=callback-secret",
        "event.notification.signature.key": "signature-secret",
        "event.vendor.type": "polling",
        "event.poller.refresh_interval": 5,
        "event.poller.configuration": {"contacts": RESOURCE, "leads": {"url": "/hubs/crm/leads"}},
        "event.poller.urls": "contacts|leads",
        "event.objects": "contacts,leads",
    }


@given(st.sets(st.sampled_from(sorted(EVERYTHING))))
def test_only_what_is_given_becomes_a_key(names: set[str]) -> None:
    every = EventSettings(**EVERYTHING).configuration()
    part = EventSettings(**{name: EVERYTHING[name] for name in names}).configuration()
    assert len(part) == len(names)
    assert part.items() <= every.items()


def test_false_is_given() -> None:
    assert EventSettings(enabled=False).configuration() == {"event.notification.enabled": False}


def test_the_platforms_text_reads_as_what_was_written() -> None:
    configuration = EventSettings(**EVERYTHING).configuration()
    kept = {
        key: each if isinstance(each, str) else json.dumps(each, indent=1)
        for key, each in configuration.items()
    }
    instance = Instance(
        id=1,
        name="n",
        element_key="e",
        events_enabled=True,
        event_callback_url=EVERYTHING["callback_url"],
        configuration=kept,
    )
    assert all(same_value(key, each, instance) for key, each in configuration.items())


def test_no_secret_is_in_repr() -> None:
    assert_hidden(repr(EventSettings(**EVERYTHING)), "callback-secret", "signature-secret")
    assert_hidden(repr(EventSettings(poller_urls=["/leads?key=hidden"])), "hidden")


def test_it_is_frozen_all_the_way_down() -> None:
    resource: dict[str, Any] = {"url": "/a", "datesConfiguration": {"updatedDateField": "u"}}
    objects = ["a"]
    settings = EventSettings(poller_configuration={"a": resource}, objects=objects)  # type: ignore[dict-item]
    before = json.dumps(settings.configuration())
    resource["datesConfiguration"]["updatedDateField"] = resource["url"] = "changed"
    objects.append("b")
    settings.configuration()["event.poller.configuration"]["a"]["url"] = "changed"
    assert json.dumps(settings.configuration()) == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.enabled = True  # type: ignore[misc]


@pytest.mark.parametrize(
    "interval", [1, timedelta(minutes=1), timedelta(seconds=60), pendulum.duration(minutes=1)]
)
def test_an_interval_is_whole_minutes(interval: Any) -> None:
    settings = EventSettings(poller_interval=interval)
    assert settings.configuration() == {"event.poller.refresh_interval": 1}
    assert settings == EventSettings(poller_interval=1)


@given(st.integers(1, 10**6))
def test_any_whole_minutes_are_taken_in_both_forms(minutes: int) -> None:
    assert EventSettings(poller_interval=timedelta(minutes=minutes)).poller_interval == minutes
    assert EventSettings(poller_interval=minutes).poller_interval == minutes


@pytest.mark.parametrize(
    "interval",
    [
        0,
        -1,
        True,
        1.0,
        "5",
        timedelta(0),
        timedelta(seconds=59),
        timedelta(seconds=90),
        timedelta(minutes=5, microseconds=1),
        timedelta(minutes=-1),
        pendulum.duration(seconds=90),
    ],
)
def test_other_intervals_are_refused(interval: Any) -> None:
    assert refused(poller_interval=interval).startswith("poller_interval must be whole minutes, at least one")


@pytest.mark.parametrize("vendor_type", ["polling", "webhook", "webhooks"])
def test_vendor_types(vendor_type: Any) -> None:
    assert EventSettings(vendor_type=vendor_type).configuration() == {"event.vendor.type": vendor_type}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"enabled": "true"}, "enabled must be True or False; it is of type str."),
        ({"enabled": 1}, "enabled must be True or False"),
        ({"callback_url": ""}, "callback_url is empty"),
        ({"callback_url": "false"}, "callback_url must be an absolute address"),
        ({"callback_url": "ftp://a/b"}, "callback_url must be an absolute address"),
        ({"callback_url": "https://a/b\n"}, "callback_url has white space"),
        ({"callback_url": b"https://a/b"}, "callback_url must be a string; it is of type bytes."),
        ({"signature_key": ""}, "signature_key is empty"),
        ({"signature_key": 7}, "signature_key must be a string; it is of type int."),
        ({"vendor_type": "poll"}, "vendor_type must be one of 'polling', 'webhook', 'webhooks'."),
        ({"vendor_type": []}, "vendor_type must be one of"),
        ({"objects": "contacts,leads"}, "objects must be a list of names; it is of type str."),
        ({"objects": {"contacts"}}, "objects must be a list of names; it is of type set."),
        ({"objects": []}, "objects is empty"),
        ({"objects": ["contacts", "leads,deals"]}, "objects[1] holds ','"),
        ({"objects": ["contacts", ""]}, "objects[1] is empty"),
        ({"objects": ["contacts", " leads"]}, "objects[1] has white space"),
        ({"objects": ["contacts", None]}, "objects[1] must be a string; it is of type NoneType."),
        ({"objects": ["contacts", "{objectName}"]}, "objects[1] is {objectName}"),
        ({"poller_urls": "contacts|leads"}, "poller_urls must be a list of names; it is of type str."),
        ({"poller_urls": ()}, "poller_urls is empty"),
        ({"poller_urls": ["contacts|leads"]}, "poller_urls[0] holds '|'"),
        ({"poller_urls": ["contacts\nleads"]}, "poller_urls[0] has white space around it or a control"),
        ({"poller_configuration": "{}"}, "poller_configuration must be a dictionary; it is of type str."),
        ({"poller_configuration": {}}, "poller_configuration is empty"),
        ({"poller_configuration": {7: RESOURCE}}, "A resource name in poller_configuration must be a string"),
        ({"poller_configuration": {"a": "/a"}}, "poller_configuration['a'] must be a dictionary"),
        ({"poller_configuration": {"a": {}}}, "poller_configuration['a'] is empty"),
    ],
)
def test_what_is_malformed_is_told_by_name(settings: dict[str, Any], told: str) -> None:
    assert told in refused(**settings)


@pytest.mark.parametrize("text", ["zqxzqx\n", " zqxzqx", "zqx\0zqx", "zqxzqx\ud800"])
@pytest.mark.parametrize("name", ["callback_url", "signature_key"])
def test_a_secrets_value_is_never_told(name: str, text: str) -> None:
    with pytest.raises(CloudElementsValidationError, match=name) as caught:
        EventSettings(**{name: text})  # type: ignore[arg-type]
    assert_hidden(shown(caught.value), "zqx")


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        ({"url": 7}, "['url'] must be a string; it is of type int."),
        ({"url": ""}, "['url'] is empty"),
        ({"idField": None}, "['idField'] must be a string"),
        ({"filterByUpdatedDate": "true"}, "['filterByUpdatedDate'] must be True or False"),
        ({"createdCheckTolerance": "10"}, "['createdCheckTolerance'] must be a whole number, at least 0."),
        ({"createdCheckTolerance": True}, "['createdCheckTolerance'] must be a whole number"),
        ({"pageSize": 0}, "['pageSize'] must be a whole number, at least 1."),
        ({"pageSize": 20.0}, "['pageSize'] must be a whole number"),
        ({"pollDelay": -1}, "['pollDelay'] must be a whole number, at least 0."),
        ({"datesConfiguration": "updated"}, "['datesConfiguration'] must be a dictionary"),
        ({"datesConfiguration": {}}, "['datesConfiguration'] is empty"),
        (
            {"datesConfiguration": {"updatedDateField": 1}},
            "['datesConfiguration']['updatedDateField'] must be a string",
        ),
        ({"pagesize": 20}, "has no key 'pagesize'. Did you mean 'pageSize'"),
        ({"datesConfig": {}}, "has no key 'datesConfig'. Did you mean 'datesConfiguration'"),
        (
            {"datesConfiguration": {"updateDateField": "u"}},
            "['datesConfiguration'] has no key 'updateDateField'. Did you mean 'updatedDateField'",
        ),
        ({"xyz": 1}, "has no key 'xyz'. Known are: url, idField, filterByUpdatedDate, datesConfiguration,"),
        ({7: 1}, "has no key 7. Known are: url"),
    ],
)
def test_a_resources_keys_and_types_are_those_of_the_docs(resource: dict[Any, Any], told: str) -> None:
    text = refused(poller_configuration={"contacts": resource})
    assert text.startswith("poller_configuration['contacts']")
    assert told in text


NOT_STRINGS = st.none() | st.integers() | st.floats() | st.binary() | st.lists(st.text())


@given(st.sampled_from([*EVERYTHING, *RESOURCE, *RESOURCE["datesConfiguration"]]), NOT_STRINGS)  # type: ignore[misc]
def test_any_value_is_taken_or_refused_in_our_words(name: str, value: Any) -> None:
    settings = {name: value}
    if name in RESOURCE["datesConfiguration"]:  # type: ignore[operator]
        settings = {"datesConfiguration": settings}
    if name not in EVERYTHING:
        settings = {"poller_configuration": {"a": settings}}
    try:
        configuration = EventSettings(**settings).configuration()
    except CloudElementsValidationError as error:
        told = str(error)
        configuration = None
    if configuration is None:
        assert name in told
    else:
        json.dumps(configuration, allow_nan=False)


# --- What an element can do --------------------------------------------------------------------------------

NO_EVENTS = ElementMetadata(1, "plain", events_supported=False)
UNTOLD = ElementMetadata(1, "plain")
POLLING = ElementMetadata(2, "crm", events_supported=True, event_methods=("polling",))
WEBHOOK = ElementMetadata(3, "microsoftgraph", events_supported=True, event_methods=("webhook",))
BOTH = ElementMetadata(4, "sfdc", events_supported=True, event_methods=("polling", "webhook"))
SILENT = ElementMetadata(5, "silent", events_supported=True)
ON = {"enabled": True, "callback_url": "https://a/b", "signature_key": "k", "objects": ["a"]}
POLLER = ("poller_interval", "poller_configuration", "poller_urls")


@pytest.mark.parametrize(
    ("settings", "metadata"),
    [
        ({}, NO_EVENTS),
        ({"enabled": False}, NO_EVENTS),
        (EVERYTHING, None),
        (EVERYTHING, SILENT),
        (EVERYTHING, UNTOLD),
        (EVERYTHING, POLLING),
        (EVERYTHING, BOTH),
        (ON, POLLING),
        (ON, WEBHOOK),
        ({"vendor_type": "webhook"}, WEBHOOK),
        ({"vendor_type": "webhooks"}, WEBHOOK),
        ({"vendor_type": "webhook"}, BOTH),
        (
            {"vendor_type": "webhook"},
            ElementMetadata(6, "x", events_supported=True, event_methods=("Webhooks",)),
        ),
    ],
)
def test_what_an_element_can_do(settings: dict[str, Any], metadata: ElementMetadata | None) -> None:
    assert unsupported(EventSettings(**settings), metadata) is None


@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_an_element_without_events_can_do_nothing(name: str) -> None:
    told = unsupported(EventSettings(**{name: EVERYTHING[name]}), NO_EVENTS)
    assert told is not None
    assert told.startswith("Element 'plain' has no events")


@pytest.mark.parametrize("name", POLLER)
def test_a_poller_needs_polling(name: str) -> None:
    assert unsupported(EventSettings(**{name: EVERYTHING[name]}), WEBHOOK) == (
        "Element 'microsoftgraph' has its events by webhook alone, as its metadata say, and not by polling, "
        f"which {name} asked for."
    )


def test_all_that_asks_for_it_is_named() -> None:
    told = unsupported(EventSettings(**EVERYTHING), WEBHOOK)
    assert told is not None
    assert all(name in told for name in (*POLLER, "vendor_type"))
    assert_hidden(told, "callback-secret", "signature-secret")


@pytest.mark.parametrize("vendor_type", ["webhook", "webhooks"])
def test_webhooks_need_webhook(vendor_type: Any) -> None:
    told = unsupported(EventSettings(vendor_type=vendor_type, poller_interval=1), POLLING)
    assert told == (
        "Element 'crm' has its events by polling alone, as its metadata say, and not by webhook, which "
        "vendor_type asked for."
    )


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ({"supported": True, "methods": ["webhook"]}, "not by polling"),
        (["webhook"], "not by polling"),
        ({"supported": False, "methods": []}, "has no events"),
        ({"supported": True, "methods": []}, None),
        ({"supported": True}, None),
    ],
)
def test_metadata_as_they_come(events: Any, told: str | None) -> None:
    metadata = ElementMetadata.parse({"id": 1, "key": "e", "events": events})
    sentence = unsupported(EventSettings(poller_interval=1), metadata)
    assert sentence is None if told is None else sentence is not None and told in sentence
