"""What has to be written to make an instance as asked: as little as possible, and never a guess."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.models import MASK, Instance, configuration_text
from airflow_provider_cloudelements.client.tags import own_tags, user_tags
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.provisioning.difference import Difference, comparable_text, same_value
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec

SETTINGS = ConnectionSettings("https://api.example.com", "user-secret", "organization-secret")
URL = "https://hooks.example.com/events"
SPEC = InstanceSpec(
    element="closeio",
    name="An instance",
    key="a key",
    configuration={
        "username": "ada",
        "password": "secret-1",
        "event.notification.enabled": True,
        "event.notification.callback.url": URL,
    },
    tags=("Docs",),
)
PRINTS = Fingerprints(SETTINGS, SPEC.marker)


def instance(spec=SPEC, **changes):
    """Return the instance that a spec's create makes, as it reads back."""
    shown = {key: configuration_text(value) for key, value in spec.configuration.items()}
    for key in ("password", "oauth.api.secret"):
        if key in shown:
            shown[key] = MASK
    shown |= changes.pop("configuration", {})
    fields = {
        "id": 7,
        "name": spec.name,
        "element_key": spec.element,
        "tags": tuple(spec.tags_to_create(PRINTS)),
        "events_enabled": shown.get("event.notification.enabled") == "true",
        "event_callback_url": shown.get("event.notification.callback.url"),
        "configuration": shown,
    }
    return Instance(**{**fields, **changes})


def between(spec=SPEC, there=None):
    return Difference.between(spec, there if there is not None else instance(), PRINTS)


NOTHING = Difference()


def test_what_was_just_made_differs_in_nothing():
    assert between() == NOTHING


def test_every_change_is_named_and_no_value_shows():
    spec = replace(
        SPEC,
        configuration={**SPEC.configuration, "username": "grace", "password": "secret-2"},
        provider_data={"code": "the-code"},
        tags=("Docs", "new"),
    )
    difference = Difference.between(spec, instance(valid=False), PRINTS)
    assert difference.names == ("username", "password", "providerData", "tags")
    assert "secret-2" not in repr(difference)
    assert "the-code" not in repr(difference) + repr(spec)


def test_a_masked_secret_without_a_fingerprint_is_unknown_to_a_healthy_instance():
    bare = instance(tags=("Docs", SPEC.marker))
    assert between(there=bare) == replace(NOTHING, unknown=("password",))
    # ... and given to one that needs it.
    given_all = between(there=replace(bare, valid=False))
    assert given_all.configuration == {"password": "secret-1"}
    assert given_all.mends
    assert between(there=replace(instance(), tags=given_all.tags)) == NOTHING


def test_a_masked_signature_key_without_a_fingerprint_is_written():
    key = "event.notification.signature.key"
    spec = replace(SPEC, configuration={**SPEC.configuration, key: "sign"})
    there = instance(spec, configuration={key: MASK}, tags=("Docs", SPEC.marker))
    difference = between(spec, there)
    assert difference.configuration == {key: "sign"}
    assert not difference.mends
    again = between(spec, replace(there, tags=difference.tags))
    assert again == replace(NOTHING, unknown=("password",))


def test_a_value_that_an_element_masks_is_written_once():
    there = instance(configuration={"username": MASK})
    difference = between(there=there)
    assert difference.configuration == {"username": "ada"}
    assert between(there=replace(there, tags=difference.tags)) == NOTHING


@pytest.mark.parametrize("shown", [None, "", "********", "***"])
def test_a_secret_that_does_not_show_is_compared_by_its_fingerprint(shown):
    assert between(there=instance(configuration={"password": shown})) == NOTHING
    changed = replace(SPEC, configuration={**SPEC.configuration, "password": "secret-2"})
    assert between(changed, instance(configuration={"password": shown})).configuration == {
        "password": "secret-2"
    }


def test_a_secret_that_shows_is_compared_as_it_is():
    assert (
        between(there=instance(configuration={"password": "secret-1"}, tags=("Docs", SPEC.marker))) == NOTHING
    )
    by_hand = between(there=instance(configuration={"password": "by-hand"}))
    assert by_hand.configuration == {"password": "secret-1"}


def test_a_refresh_token_that_the_platform_has_replaced_is_not_written_back():
    key = "oauth.user.refresh_token"
    spec = replace(SPEC, element="hubspotcrm", configuration={key: "first", "oauth.api.secret": "s"})
    there = instance(spec, configuration={key: "what the vendor gave since"})
    assert between(spec, there) == NOTHING
    # Another one given by a person is a change, whatever shows.
    changed = replace(spec, configuration={**spec.configuration, key: "second"})
    assert between(changed, there).configuration == {key: "second"}


def test_a_code_is_compared_by_its_fingerprint_alone():
    spec = replace(SPEC, provider_data={"code": "first"})
    there = instance(spec)
    assert between(spec, there) == NOTHING
    assert between(spec, replace(there, valid=False)) == NOTHING  # it is spent, and mends nothing
    second = replace(spec, provider_data={"code": "second"})
    assert between(second, there).provider_data == {"code": "second"}
    unknown = between(second, replace(there, tags=("Docs", SPEC.marker)))
    assert unknown.provider_data == {}
    assert "authorization code" in unknown.unknown


def test_without_credentials_nothing_that_authenticates_is_left():
    spec = replace(
        SPEC,
        provider_data={"code": "x"},
        external_authentication="initial",
        configuration={**SPEC.configuration, "event.notification.signature.key": "sign"},
    ).without_credentials()
    assert spec.credentials == {}
    assert (spec.provider_data, spec.external_authentication) == ({}, None)
    assert set(spec.configuration) == set(SPEC.configuration) - {"password"}


@pytest.mark.parametrize(
    ("wanted", "current", "same"),
    [
        (True, "true", True),
        (False, "false", True),
        (15, "15", True),
        (15, "16", False),
        ("", None, False),
        (None, None, True),
        ({"a": [1, None]}, '{"a": [1, null]}', True),
        ({"a": 1}, '{"a":2}', False),
        ({"a": 1}, "not json", False),
        ({"a": 1}, "[" * 100_000, False),
        ([1, 2], "[1,2]", True),
    ],
)
def test_values_are_compared_as_the_text_that_the_platform_keeps(wanted, current, same):
    assert same_value("some.key", wanted, instance(configuration={"some.key": current})) is same


@pytest.mark.parametrize(("wanted", "on"), [(True, True), ("true", True), (False, False), ("false", False)])
def test_events_are_compared_as_on_and_off(wanted, on):
    assert same_value("event.notification.enabled", wanted, instance(events_enabled=on))
    assert not same_value("event.notification.enabled", wanted, instance(events_enabled=not on))


# -- for all --------------------------------------------------------------------------------------

TEXTS = st.text(alphabet="ab<>/&;lt gmp\u00e9", max_size=12)


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4), st.booleans(), st.booleans())
@example(people=[], asked=["&<>gt"], marker=False, fingerprint=False)
@example(people=[], asked=["<&gt;>"], marker=False, fingerprint=False)
def test_tags_of_people_stay_and_a_second_look_finds_nothing_to_do(people, asked, marker, fingerprint):
    spec = replace(SPEC, tags=tuple(asked))
    ours = own_tags(spec.tags_to_create(PRINTS))
    kept = [tag for tag, keep in zip(ours, (marker, marker, fingerprint), strict=True) if keep]
    there = instance(spec, tags=(*people, *kept))
    difference = between(spec, there)
    tags = difference.tags if difference.tags is not None else there.tags
    assert spec.marker in tags
    assert set(people) <= set(tags)
    assert {comparable_text(tag) for tag in asked} <= {comparable_text(tag) for tag in tags}
    assert set(user_tags(tags)) <= {*people, *asked}
    # The platform strips markup from what is written; that must not look like a change.
    stripped = tuple(dict.fromkeys(strip(tag) for tag in tags))
    assert between(spec, replace(there, tags=stripped)).tags is None


def strip(text):
    """Strip markup in one pass, as the sandbox does and the platform may."""
    import re

    return re.sub("<[^<>]*>", "", text)


@given(TEXTS)
def test_a_text_and_what_the_platform_makes_of_it_are_the_same(text):
    assert comparable_text(strip(text)) == comparable_text(text)
    assert comparable_text(comparable_text(text)) == comparable_text(strip(comparable_text(text)))


@given(
    st.dictionaries(
        st.sampled_from(["username", "password", "api.token", "event.objects", "filter.response.nulls"]),
        st.booleans() | st.integers() | st.text(min_size=1),
    ),
    st.booleans(),
)
def test_what_was_written_differs_no_more(configuration, healthy):
    spec = replace(SPEC, configuration=configuration)
    there = instance(valid=healthy)
    difference = between(spec, there)
    shown = {**there.configuration}
    for key, value in difference.configuration.items():
        shown[key] = MASK if key in ("password", "api.token") else configuration_text(value)
    after = replace(there, configuration=shown, tags=difference.tags or there.tags)
    again = between(spec, after)
    assert (again.configuration, again.tags) == ({}, None)
    assert again.unknown == difference.unknown
