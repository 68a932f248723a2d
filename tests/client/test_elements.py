"""The catalogue and the consent link, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote_plus, urlsplit

import pytest

from airflow_provider_cloudelements.exceptions import CloudElementsNotFoundError, CloudElementsServerError
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.hidden import assert_hidden, shown
from tests.support.wire import Account, Wire, account, answer

SECRET = "App/Secret+Consent003="
APP = {"api_key": "client-1", "api_secret": SECRET, "oauth_callback_url": "https://app.example/cb"}


@pytest.fixture
def here(cloudelements_sandbox: Sandbox) -> Account:
    return account(
        cloudelements_sandbox.url,
        user_secret=cloudelements_sandbox.user_secret,
        organization_secret=cloudelements_sandbox.organization_secret,
        max_retries=2,
    )


def test_an_element_is_read_by_its_key_and_by_its_id(here: Account) -> None:
    by_key = here.client.elements.get("microsoftgraph")
    assert (by_key.key, by_key.authentication) == ("microsoftgraph", "oauth2")
    assert here.client.elements.get(by_key.id) == by_key


@pytest.mark.parametrize("key", ["nope", 999_999_999, "a/b", "a b", "../instances", "é", "?x=1", "#"])
def test_an_element_that_is_not_there_is_not_found(here: Account, key: Any) -> None:
    with pytest.raises(CloudElementsNotFoundError):
        here.client.elements.get(key)


def test_metadata_go_by_id_and_a_key_costs_a_call_more(here: Account, cloudelements_sandbox: Sandbox) -> None:
    by_key = here.client.elements.metadata("microsoftgraph")
    assert (by_key.key, by_key.events_supported, by_key.event_methods) == (
        "microsoftgraph",
        True,
        ("webhook",),
    )
    assert here.client.elements.metadata(by_key.id) == by_key
    assert [call["path"].rsplit("/", 1)[-1] for call in cloudelements_sandbox.requests()] == [
        "microsoftgraph",
        "metadata",
        "metadata",
    ]


def test_the_keys_of_the_catalogue_come_in_one_call(here: Account) -> None:
    assert {"microsoftgraph", "closeio"} <= set(here.client.elements.keys())


def test_an_elements_configuration_says_what_a_create_must_give(here: Account) -> None:
    keys = here.client.elements.configuration("zendesk")
    assert {each.key for each in keys if each.required} == {
        "oauth.api.key",
        "oauth.api.secret",
        "oauth.callback.url",
        "zendesk.subdomain",
    }
    assert "oauth.scope" in {each.key for each in keys}
    with pytest.raises(CloudElementsNotFoundError):
        here.client.elements.configuration("nope")


@pytest.mark.parametrize(
    ("row", "required"),
    [
        ({"required": True}, True),
        ({"required": "true", "defaultValue": ""}, True),
        ({}, False),
        ({"required": True, "defaultValue": "x"}, False),
        ({"required": True, "active": False}, False),
        ({"required": True, "internal": True}, False),
        ({"required": True, "companyConfig": True}, False),
        ({"required": True, "resellerConfig": True}, False),
    ],
)
def test_only_a_row_that_the_caller_must_fill_is_required(row: Any, required: bool) -> None:
    body = {"configuration": [{"key": "k", **row}], "providerData": []}
    with Wire(answer(body)) as wire:
        (key,) = account(wire.url).client.elements.configuration("x")
    assert (key.key, key.required) == ("k", required)


@pytest.mark.parametrize("body", [{}, {"configuration": None}, {"configuration": "x"}])
def test_a_configuration_without_rows_requires_nothing(body: Any) -> None:
    with Wire(answer(body)) as wire:
        assert account(wire.url).client.elements.configuration("x") == ()


@pytest.mark.parametrize("key", ["nope", 999_999_999_999])
def test_metadata_of_nothing_are_not_found(here: Account, key: Any) -> None:
    with pytest.raises(CloudElementsNotFoundError):
        here.client.elements.metadata(key)


def test_an_element_without_an_id_has_no_metadata() -> None:
    with Wire(answer({"key": "odd"})) as wire, pytest.raises(CloudElementsNotFoundError, match="no id"):
        account(wire.url).client.elements.metadata("odd")


@pytest.mark.parametrize("post", [False, True])
def test_the_consent_link_leads_through_consent_to_a_code(
    here: Account, cloudelements_sandbox: Sandbox, post: bool
) -> None:
    link = here.client.elements.oauth_url(
        "microsoftgraph", **APP, scope="Calendars.Read offline_access", state="random-1", post=post
    )
    asked = dict(parse_qsl(urlsplit(link).query))
    assert asked["client_id"] == "client-1"
    assert asked["redirect_uri"] == "https://app.example/cb"
    assert asked["scope"] == "Calendars.Read offline_access"
    assert_hidden(link, SECRET)
    back = cloudelements_sandbox.approve(link)
    assert back["state"] == "random-1"
    assert back["code"]
    (call,) = cloudelements_sandbox.requests()
    assert (call["method"], call["words"]) == ("POST" if post else "GET", ["User", "Organization"])
    assert ("apiSecret" in call["query"]) is not post


def test_the_parameters_of_the_consent_link_are_the_documented_ones() -> None:
    with Wire(answer({"oauthUrl": "https://v.example/a", "element": "zendesk"})) as wire:
        elements = account(wire.url).client.elements
        elements.oauth_url("zendesk", **APP)
        elements.oauth_url("zendesk", **APP, scope="s t", state="x", extra={"siteAddress": "acme"})
        elements.oauth_url(17314, **APP, post=True)
    plain = {"apiKey": ["client-1"], "apiSecret": [SECRET], "callbackUrl": ["https://app.example/cb"]}
    first, second, third = wire.calls
    assert parse_qs(urlsplit(first.target).query) == plain
    assert parse_qs(urlsplit(second.target).query) == {
        **plain,
        "scope": ["s t"],
        "state": ["x"],
        "siteAddress": ["acme"],
    }
    assert (third.method, third.target) == ("POST", "/elements/api-v2/elements/17314/oauth/url")
    assert b'"apiSecret":"App/Secret+Consent003="' in third.body


@pytest.mark.parametrize("post", [False, True])
def test_asking_for_the_link_may_be_repeated(
    here: Account, cloudelements_sandbox: Sandbox, post: bool
) -> None:
    cloudelements_sandbox.add_fault("drop", count=2)
    assert here.client.elements.oauth_url("microsoftgraph", **APP, post=post)


@pytest.mark.parametrize(
    "body",
    [{}, {"oauthUrl": None}, {"oauthUrl": ""}, {"oauthUrl": 5}, [], None, "https://v.example"],
    ids=repr,
)
def test_an_answer_without_a_link_is_an_error(body: Any) -> None:
    with Wire(answer(body)) as wire, pytest.raises(CloudElementsServerError) as caught:
        account(wire.url).client.elements.oauth_url("sfdc", **APP)
    assert_hidden(shown(caught.value), SECRET)


@pytest.mark.parametrize(
    "write",
    [lambda s: s, lambda s: s.replace("/", "%2F").replace("+", "%2B").replace("=", "%3D")],
    ids=["raw", "quoted"],
)
def test_a_link_that_shows_the_apps_secret_is_given_to_nobody(write: Callable[[str], str]) -> None:
    link = f"https://v.example/authorize?client_secret={write(SECRET)}"
    with Wire(answer({"oauthUrl": link})) as wire:
        with pytest.raises(CloudElementsServerError, match="given to nobody") as caught:
            account(wire.url).client.elements.oauth_url("sfdc", **APP)
    assert_hidden(shown(caught.value), SECRET)


@pytest.mark.parametrize("post", [False, True])
@pytest.mark.parametrize(
    "form", ["{}", "https://vendor.example/{}/authorize?x=1", "https://v.example/?own={}"]
)
def test_a_link_that_shows_a_parameter_not_known_to_be_harmless_is_given_to_nobody(
    form: str, post: bool
) -> None:
    secret = "Own/Parameter+0001="
    link = answer({"oauthUrl": form.format(quote_plus(secret)), "element": "sfdc"})
    with Wire(link) as wire:
        elements = account(wire.url).client.elements
        arguments = {
            "api_key": "k",
            "api_secret": "s-e-c-r-e-t",
            "oauth_callback_url": "https://a.example/cb",
        }
        with pytest.raises(CloudElementsServerError, match="shows parameter 'own'") as caught:
            elements.oauth_url("sfdc", **arguments, post=post, extra={"own": secret})
        assert_hidden(shown(caught.value), secret)
        assert elements.oauth_url("sfdc", **arguments, post=post, extra={"siteAddress": secret})
