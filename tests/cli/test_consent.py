"""``consent``: at the sandbox, and for addresses of vendors."""

from __future__ import annotations

import io
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.platform import APP

BACK = "https://app.example.com/callback"
CODE = "M.C105_BAY.2.U.s3cret-code"
LINK = (
    "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=app-id&response_type=code"
    "&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback%3Fkey%3Dhidden&scope=Calendars.Read+offline_access"
    "&state=the-state"
)


@pytest.fixture
def link(person):
    """Return a consent link of the sandbox."""
    query = "apiKey=client-1&apiSecret=app-secret-1&callbackUrl=" + APP["oauth.callback.url"] + "&state=st-1"
    return person.call("GET", f"/elements/microsoftgraph/oauth/url?{query}")["oauthUrl"]


def test_a_link_of_the_sandbox_is_followed(ce, link, person):
    ended = ce("consent", link)
    assert (ended.code, ended.err) == (0, "")
    address = ended.out.strip()
    values = {name: each[0] for name, each in parse_qs(urlsplit(address).query).items()}
    assert address.startswith(APP["oauth.callback.url"])
    assert values["state"] == "st-1"
    made = person.make(
        "code", providerData={"code": values["code"]}, configuration={**APP, "oauth.scope": "Calendars.Read"}
    )
    assert person.show(made)["valid"]


def test_the_code_that_it_prints_works(ce, link, sandbox):
    code = parse_qs(urlsplit(ce("consent", link, "--json").json["address"]).query)["code"][0]
    assert [each["presented"] for each in sandbox.codes()] == [0]
    assert len(code) > 20


def test_a_refusal_at_the_sandbox(ce, link, sandbox):
    ended = ce("consent", link, "--deny")
    assert ended.code == 0
    assert "error=access_denied" in ended.out
    assert sandbox.codes() == []
    again = ce("consent", ended.out.strip())
    assert (again.code, again.out) == (1, "")
    assert "Ask for consent again" in again.err


def test_a_link_that_the_sandbox_refuses(ce, link):
    ended = ce("consent", link.replace("response_type=code", "response_type=token"))
    assert (ended.code, ended.out) == (1, "")
    assert "answered 400" in ended.err


def test_a_sandbox_that_is_not_there(ce):
    ended = ce(
        "consent", "http://127.0.0.1:1/sandbox/authorize/microsoftgraph?response_type=code&client_id=c"
    )
    assert (ended.code, ended.out) == (1, "")
    assert "No sandbox answers" in ended.err


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1:1/sandbox/authorize/x?response_type=code",
        "http://example.com/sandbox/authorize/x?response_type=code",
        "http://localhost.example.com/sandbox/authorize/x?response_type=code",
    ],
)
def test_nothing_else_is_called(address, ce):
    assert ce("consent", address, "--json").json["kind"] == "link"


def test_a_vendors_link_is_explained(ce):
    found = ce("consent", LINK, "--json").json
    assert found.pop("next").startswith("Open the link in a browser")
    assert found == {
        "kind": "link",
        "vendor": "login.microsoftonline.com",
        "scopes": ["Calendars.Read", "offline_access"],
        "callback": f"{BACK}?key=***",
        "state": "the-state",
    }
    printed = ce("consent", LINK).out
    assert "login.microsoftonline.com" in printed
    assert "hidden" not in printed


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
@pytest.mark.parametrize("mark", "?#")
def test_an_answer_is_checked_and_not_shown(mark, form, ce):
    address = f"{BACK}{mark}code={CODE}&state=the-state"
    ended = ce("consent", address, "--state", "the-state", *form)
    assert ended.code == 0
    assert "the-state" in ended.out
    assert CODE not in ended.out + ended.err


def test_an_answer_to_another_link_cannot_be_used(ce):
    ended = ce("consent", f"{BACK}?code={CODE}&state=another", "--state", "the-state")
    assert (ended.code, ended.out) == (1, "")
    assert "belongs to another consent" in ended.err
    assert CODE not in ended.err


def test_an_answer_without_a_state(ce):
    found = ce("consent", f"{BACK}?code={CODE}", "--json").json
    assert found["state"] is None
    assert "Give the code alone" in found["next"]
    assert ce("consent", f"{BACK}?code={CODE}", "--state", "the-state").code == 1


def test_an_address_from_standard_input(ce, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{BACK}?code={CODE}&state=s\n"))
    assert ce("consent", "-", "--json").json["state"] == "s"


@pytest.mark.parametrize("address", ["", BACK, "not an address", "https://[", f"{BACK}?state=s"])
def test_anything_else_is_wrong_usage(address, ce):
    ended = ce("consent", address)
    assert (ended.code, ended.out) == (2, "")
    assert "Put it in quotes" in ended.err
