"""Nothing that a command prints holds a secret, whatever an instance, an element and an error hold."""

from __future__ import annotations

import pytest

from tests.support.leaks import search
from tests.support.platform import APP, CALLBACK, EVENTS

SECRETS = {
    "username": "ada/lovelace+1815",
    "password": "first/pass+word==",
    "app's key": "app/key+with/signs",
    "app's secret": "app/secret+with/signs==",
    "refresh token": "refresh/token+with/signs",
    "signature key": "signature/key+with/signs==",
    "token in the callback": "callback-token-0123456789",
}
CONFIGURATION = {
    **APP,
    **EVENTS,
    "username": SECRETS["username"],
    "password": SECRETS["password"],
    "oauth.api.key": SECRETS["app's key"],
    "oauth.api.secret": SECRETS["app's secret"],
    "oauth.user.refresh_token": SECRETS["refresh token"],
    "event.notification.signature.key": SECRETS["signature key"],
    "event.notification.callback.url": f"{CALLBACK}?token={SECRETS['token in the callback']}",
}


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_no_command_prints_a_secret(form, ce, person, sandbox):
    good = person.make("basic", configuration=CONFIGURATION, tags=["gold"])
    refused = person.make("refresh", configuration=CONFIGURATION, tags=["gold"])
    sandbox.revoke(refused)
    secrets = SECRETS | {
        "user secret": sandbox.user_secret,
        "organization secret": sandbox.organization_secret,
        **{f"token of {each}": person.show(each)["token"] for each in (good, refused)},
    }
    printed = {}
    for words, code in (
        (("instances", "list"), 0),
        (("instances", "show", str(good)), 0),
        (("instances", "show", str(refused)), 0),
        (("instances", "ping"), 3),
        (("instances", "delete", "--tag", "gold", "--older-than", "1d", "--dry-run"), 0),
        (("instances", "delete", str(good), "--yes"), 0),
        (("elements", "list"), 0),
        (("elements", "show", "hubspotcrm"), 0),
        (("marker", "hubspotcrm/An instance"), 0),
        (("test",), 0),
        (("instances", "show", str(good)), 1),
    ):
        ended = ce(*words, *form)
        assert ended.code == code, words
        printed[" ".join(words)] = ended.out + ended.err
    assert CALLBACK in printed[f"instances show {refused}"]
    assert len(list(search([("planted", f"x{each}y") for each in secrets.values()], secrets))) >= len(secrets)
    assert list(search(printed.items(), secrets)) == []
