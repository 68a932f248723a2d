"""What the platform sends, with all that may be missing, null, masked or of another type."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.models import (
    MASK,
    Element,
    ElementMetadata,
    Instance,
    configuration_text,
    parse_configuration,
    parse_tags,
)
from airflow_provider_cloudelements.exceptions import CloudElementsError, CloudElementsServerError
from tests.support.hidden import assert_hidden
from tests.support.wire import TOKEN, USER

FULL = {
    "id": 7,
    "name": "an instance",
    "createdDate": "2017-11-30T21:53:35Z",
    "token": TOKEN,
    "element": {"id": 5836, "key": "microsoftgraph", "name": "Microsoft Graph", "hub": "general"},
    "elementId": 5836,
    "tags": ["a", "b"],
    "provisionInteractions": [],
    "valid": True,
    "disabled": False,
    "maxCacheSize": 0,
    "providerData": {"code": "the-code"},
    "configuration": {
        "oauth.api.key": MASK,
        "oauth.scope": "Calendars.Read",
        "event.notification.enabled": "true",
        "event.notification.callback.url": "https://h.example/events",
        "event.notification.subscription.id": None,
    },
    "eventsEnabled": True,
    "externalAuthentication": "none",
    "user": {"id": 1},
}

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = [
    "id",
    "name",
    "key",
    "token",
    "element",
    "elementId",
    "tags",
    "valid",
    "disabled",
    "createdDate",
    "hub",
    "configuration",
    "eventsEnabled",
    "eventsNotificationCallbackUrl",
    "externalAuthentication",
    "events",
    "propertyValue",
    "type",
    "required",
    "authentication",
    "typeOauth",
    "active",
    "deleted",
    "methods",
    "supported",
    "event.notification.enabled",
    "event.notification.callback.url",
]
SHAPED = st.dictionaries(
    st.sampled_from(KEYS),
    ANYTHING | st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=3) | st.integers(1, 9),
    max_size=12,
)


def parsed(**changes: Any) -> Instance:
    body = {key: value for key, value in {**FULL, **changes}.items() if value != "MISSING"}
    return Instance.parse(json.loads(json.dumps(body)), keep_token=True)


def test_a_full_instance_is_read_whole() -> None:
    assert parsed() == Instance(
        id=7,
        name="an instance",
        element_key="microsoftgraph",
        element_id=5836,
        token=TOKEN,
        tags=("a", "b"),
        valid=True,
        disabled=False,
        created_date=pendulum.datetime(2017, 11, 30, 21, 53, 35),
        events_enabled=True,
        event_callback_url="https://h.example/events",
        external_authentication="none",
        configuration={
            "oauth.api.key": "********",
            "oauth.scope": "Calendars.Read",
            "event.notification.enabled": "true",
            "event.notification.callback.url": "https://h.example/events",
            "event.notification.subscription.id": None,
        },
    )


@pytest.mark.parametrize("absent", ["MISSING", None])
def test_only_what_may_be_assumed_has_to_be_there(absent: Any) -> None:
    assumed = ("id", "name", "token", "element", "valid")
    instance = parsed(**{key: absent for key in FULL if key not in assumed})
    expected = Instance(7, "an instance", "microsoftgraph", 5836, TOKEN)
    assert instance == expected
    assert instance.healthy


def test_an_id_alone_is_an_instance() -> None:
    assert Instance.parse({"id": "7"}) == Instance(7, "", "")


@pytest.mark.parametrize("absent", ["configuration", "tags", "disabled"])
def test_an_answer_that_leaves_something_out_is_not_complete(absent: str) -> None:
    assert parsed().complete
    assert not parsed(**{absent: "MISSING"}).complete
    assert not parsed(**{absent: None}).complete


def test_without_an_id_there_is_no_instance() -> None:
    with pytest.raises(CloudElementsServerError, match="no id of the instance"):
        parsed(id="MISSING")


def test_a_token_is_kept_only_when_asked_for() -> None:
    assert Instance.parse(FULL).token is None
    assert Instance.parse(FULL, keep_token=True).token == TOKEN


@pytest.mark.parametrize("token", [None, "", {}, 5, "line\nbreak", "\ud800abc", "ünicode", " padded "])
def test_a_token_that_no_header_can_carry_is_none(token: Any) -> None:
    assert Instance.parse({**FULL, "token": token}, keep_token=True).token is None


def test_repr_shows_neither_token_nor_configuration() -> None:
    text = repr(parsed(configuration={"oauth.user.token": USER, "oauth.scope": "the-scope"}))
    assert_hidden(text, TOKEN, USER)
    assert "the-scope" not in text
    assert "the-code" not in text
    assert "an instance" in text


@pytest.mark.parametrize(
    ("changes", "enabled"),
    [
        ({"eventsEnabled": True, "configuration": "MISSING"}, True),
        ({"eventsEnabled": "true", "configuration": "MISSING"}, True),
        ({"eventsEnabled": False}, False),
        ({"eventsEnabled": "MISSING"}, True),
        ({"eventsEnabled": None}, True),
        ({"eventsEnabled": None, "configuration": {"event.notification.enabled": True}}, True),
        ({"eventsEnabled": None, "configuration": {"event.notification.enabled": "False"}}, False),
        ({"eventsEnabled": None, "configuration": {"event.notification.enabled": None}}, False),
        ({"eventsEnabled": "MISSING", "configuration": None}, False),
        ({"eventsEnabled": "********", "configuration": {}}, False),
    ],
    ids=repr,
)
def test_events_are_on_when_either_place_says_so(changes: dict[str, Any], enabled: bool) -> None:
    assert parsed(**changes).events_enabled is enabled


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "https://h.example/events"),
        ({"eventsNotificationCallbackUrl": "https://other.example"}, "https://other.example"),
        ({"eventsNotificationCallbackUrl": None}, "https://h.example/events"),
        ({"eventsNotificationCallbackUrl": ""}, "https://h.example/events"),
        ({"configuration": {"event.notification.callback.url": "false"}}, None),
        ({"configuration": {"event.notification.callback.url": None}}, None),
        ({"configuration": {}}, None),
        ({"configuration": None}, None),
    ],
    ids=repr,
)
def test_the_callback_is_read_from_either_place(changes: dict[str, Any], url: str | None) -> None:
    assert parsed(**changes).event_callback_url == url


@pytest.mark.parametrize(
    ("changes", "healthy"),
    [
        ({}, True),
        ({"valid": "false"}, False),
        ({"valid": False}, False),
        ({"valid": None}, True),
        ({"disabled": "true"}, False),
        ({"disabled": True}, False),
        ({"disabled": None}, True),
    ],
    ids=repr,
)
def test_healthy_means_valid_and_not_disabled(changes: dict[str, Any], healthy: bool) -> None:
    assert parsed(**changes).healthy is healthy


@pytest.mark.parametrize(
    ("changes", "element_id"),
    [
        ({}, 5836),
        ({"element": {"key": "k"}}, 5836),
        ({"element": {"key": "k", "id": None}}, 5836),
        ({"element": {"key": "k", "id": "17314"}}, 17314),
        ({"element": {"key": "k"}, "elementId": "MISSING"}, None),
        ({"element": None, "elementId": "x"}, None),
    ],
    ids=repr,
)
def test_the_elements_id_is_read_from_either_place(changes: dict[str, Any], element_id: int | None) -> None:
    assert parsed(**changes).element_id == element_id


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (["a", "b"], ("a", "b")),
        ([{"id": 1, "name": "a"}, "b"], ("a", "b")),
        ([None, 5, ["x"], {"id": 1}, "a"], ("a",)),
        ([], ()),
        (None, ()),
        ("a", ()),
        ({"a": 1}, ()),
    ],
    ids=repr,
)
def test_tags_may_be_objects_or_missing(value: Any, tags: tuple[str, ...]) -> None:
    assert parse_tags(value) == tags


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", ""),
        ("true", "true"),
        (True, "true"),
        (False, "false"),
        (15, "15"),
        (1.5, "1.5"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (MASK, "********"),
    ],
    ids=repr,
)
def test_a_configuration_value_is_text_or_none(value: Any, text: str | None) -> None:
    assert configuration_text(value) == text
    assert parse_configuration({"k": value}) == {"k": text}


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_a_configuration_that_is_no_object_is_empty(value: Any) -> None:
    assert parse_configuration(value) == {}


def test_a_value_too_deep_to_be_written_is_an_error_of_ours() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(CloudElementsServerError, match="too deep"):
        configuration_text(deep)


@pytest.mark.parametrize(
    ("body", "element"),
    [
        (
            {"id": 1, "key": "k", "authentication": {"type": "oauth2"}},
            Element(1, "k", authentication="oauth2"),
        ),
        (
            {"key": "k", "authentication": "basic", "active": "false"},
            Element(None, "k", None, None, "basic", False),
        ),
        (
            {"key": "k", "typeOauth": "oauth1", "deleted": "true"},
            Element(None, "k", authentication="oauth1", deleted=True),
        ),
        ({}, Element(None, "")),
        ({"key": None, "active": None, "authentication": {"type": None}}, Element(None, "")),
    ],
    ids=repr,
)
def test_an_element_is_read(body: dict[str, Any], element: Element) -> None:
    assert Element.parse(body) == element


@pytest.mark.parametrize(
    ("events", "supported", "methods"),
    [
        ({"supported": True, "methods": ["webhook"], "webhook": {}}, True, ("webhook",)),
        ({"supported": "false", "methods": ["webhook"]}, False, ("webhook",)),
        ({"methods": ["polling", "webhook"]}, True, ("polling", "webhook")),
        (["polling"], True, ("polling",)),
        ([], False, ()),
        (None, None, ()),
        ("text", None, ()),
        ({}, None, ()),
        ({"supported": True}, True, ()),
    ],
    ids=repr,
)
def test_metadata_of_both_shapes_are_read(
    events: Any, supported: bool | None, methods: tuple[str, ...]
) -> None:
    metadata = ElementMetadata.parse({"id": 5, "key": "k", "name": "n", "events": events})
    assert metadata == ElementMetadata(5, "k", "n", supported, methods)


@pytest.mark.parametrize("model", [Instance, Element, ElementMetadata])
@pytest.mark.parametrize("body", [None, [], "text", 5, True, [{"id": 1}]])
def test_what_is_no_object_is_an_error_of_ours(model: Any, body: Any) -> None:
    with pytest.raises(CloudElementsServerError, match="not a JSON object"):
        model.parse(body)


@pytest.mark.parametrize("model", [Instance, Element, ElementMetadata])
@given(body=ANYTHING | SHAPED)
def test_any_json_is_read_or_refused_by_plan(model: Any, body: Any) -> None:
    try:
        made = model.parse(body)
    except CloudElementsError:
        return
    types = {
        "str": str,
        "str | None": (str, type(None)),
        "bool": bool,
        "int": int,
        "int | None": (int, type(None)),
    }
    for each in dataclasses.fields(made):
        if each.type in types:
            assert isinstance(getattr(made, each.name), types[each.type]), each.name
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.id = 5
