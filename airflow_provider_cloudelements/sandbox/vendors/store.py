"""The vendors behind the elements: they give out authorization codes, and accept or refuse credentials."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_cloudelements.sandbox.core.errors import ApiError
from airflow_provider_cloudelements.sandbox.elements.catalogue import REFRESH_TOKEN, USER_TOKEN, Element
from airflow_provider_cloudelements.sandbox.settings import MASK, REJECTED_PREFIX

#: What a person's login at a vendor consists of: the values of :attr:`Element.login_keys`.
Credential = tuple[str | None, ...]

# Texts of Microsoft's token endpoint, from Microsoft's documentation (fact F129).
_MICROSOFT = {
    "used": "AADSTS54005: OAuth2 Authorization code was already redeemed, please retry with a new valid code"
    " or use an existing refresh token.",
    "expired": "AADSTS70008: The provided authorization code or refresh token has expired due to inactivity."
    " Send a new interactive authorization request for this user and resource.",
    "unknown": "AADSTS70000: The provided value for the input parameter 'code' is not valid.",
    "client": "AADSTS70000: The authorization code was issued to another client.",
    "callback": "AADSTS500112: The reply address does not match the reply address provided when requesting"
    " Authorization code.",
    "credential": "AADSTS7000215: Invalid client secret provided.",
    "refresh": "AADSTS70000: The provided value for the input parameter 'refresh_token' is not valid.",
    "revoked": "AADSTS50173: The provided grant has expired due to it being revoked, a fresh auth token is"
    " needed.",
}
_OTHERS = {
    "used": "invalid_grant: the authorization code was already used",
    "expired": "invalid_grant: the authorization code has expired",
    "unknown": "invalid_grant: the authorization code is not valid",
    "client": "invalid_grant: the authorization code was issued to another client",
    "callback": "invalid_grant: redirect_uri does not match the one of the authorization request",
    "credential": "invalid_client: the credentials are not valid",
    "refresh": "invalid_grant: the refresh token is not valid",
    "revoked": "access_denied: the access was revoked",
}


@dataclass(slots=True)
class Code:
    """An authorization code and its history.

    :param index: 1, 2, 3 ... in the order of minting.
    :param fingerprint: the first 16 hex digits of its SHA-256; the control calls use it as the code's name.
    :param element: key of the element it was made for; None for a code that this vendor never gave out.
    :param client_id: the app it is bound to, or None for any.
    :param oauth_callback_url: the redirect address it is bound to, or None for any.
    :param scope: the scope that the person allowed.
    :param expires: when it expires, on the monotonic clock; None for the lifetime of the settings.
    :param minted: when the vendor gave it out, on the monotonic clock.
    :param presented: how many requests carried it, whatever their outcome.
    :param exchanged: how many times the platform tried it at the vendor.
    :param redeemed: whether the vendor has accepted it.
    """

    index: int
    fingerprint: str
    element: str | None
    client_id: str | None = None
    oauth_callback_url: str | None = None
    scope: str | None = None
    expires: float | None = None
    minted: float = 0.0
    presented: int = 0
    exchanged: int = 0
    redeemed: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """The tokens that a vendor gives for a valid code or refresh token.

    :param token: the access token.
    :param refresh_token: the token for the next access token; None when the scope does not include it.
    """

    token: str
    refresh_token: str | None


def new_secret() -> str:
    """Return a fresh value in the shape of an element token: base64 of 32 bytes (fact F5)."""
    return base64.b64encode(os.urandom(32)).decode("ascii")


def fingerprint(code: str) -> str:
    """Return the name of a code in the control calls.

    :param code: the code.
    """
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()[:16]


class Vendor:
    """All vendors at once: the codes that they gave out and the credentials that they accept."""

    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}
        self._accepted: dict[str, frozenset[str]] = {}

    def clear(self) -> None:
        """Forget every code, and accept any secret again."""
        self._codes.clear()
        self._accepted.clear()

    def accept_only(self, element: Element, secrets: frozenset[str] | None) -> None:
        """Set which secrets the vendor of an element accepts from now on.

        :param element: the element.
        :param secrets: values of :attr:`Element.rotated_key`; None for any without the rejected prefix.
        """
        if secrets is None:
            self._accepted.pop(element.key, None)
        else:
            self._accepted[element.key] = secrets

    def mint(
        self,
        element: Element,
        client_id: str | None = None,
        oauth_callback_url: str | None = None,
        scope: str | None = None,
        lifetime: float | None = None,
    ) -> tuple[str, Code]:
        """Give out a code that works once.

        :param element: the element it is for.
        :param client_id: the app it is bound to; None binds it to none.
        :param oauth_callback_url: the address it is bound to; None binds it to none.
        :param scope: the scope that the person allowed.
        :param lifetime: seconds; None for the sandbox's setting.
        """
        value = base64.urlsafe_b64encode(os.urandom(30)).decode("ascii")
        now = time.monotonic()
        code = self._add(value, element.key)
        code.client_id, code.oauth_callback_url, code.scope = client_id, oauth_callback_url, scope
        code.minted, code.expires = now, None if lifetime is None else now + lifetime
        return value, code

    def _add(self, value: str, element: str | None) -> Code:
        name = fingerprint(value)
        code = Code(len(self._codes) + 1, name, element)
        self._codes[name] = code
        return code

    def codes(self) -> list[Code]:
        """Return all codes that the vendor gave out or a request presented, oldest first."""
        return list(self._codes.values())

    def note_presented(self, body: bytes) -> None:
        """Count the code in a request body, before anything else happens to the request.

        :param body: the raw body of a write to an instance.
        """
        if b'"code"' not in body:
            return
        try:
            value = json.loads(body)["providerData"]["code"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return
        if isinstance(value, str) and value:
            (self._codes.get(fingerprint(value)) or self._add(value, None)).presented += 1

    def redeem(
        self, element: Element, value: str, configuration: dict[str, str | None], lifetime: float, status: int
    ) -> Grant:
        """Exchange a code for tokens, as the platform does inside a create.

        :param element: the element of the instance that presents it.
        :param value: the code.
        :param configuration: the instance's configuration, with the client id and callback URL.
        :param lifetime: seconds that codes live.
        :param status: the status of a refusal.
        """
        code = self._codes.get(fingerprint(value))
        if code is None:
            code = self._add(value, None)
        code.exchanged += 1
        problem = self._problem(code, element, value, configuration, lifetime)
        if problem is not None:
            raise refusal(element, problem, status)
        # An earlier refresh token does not matter: the code brings a new one.
        self.check(element, {**configuration, REFRESH_TOKEN: None}, status)
        code.redeemed = True
        # Microsoft gives a refresh token only with the scope offline_access (fact F130).
        scope = f"{code.scope or ''} {configuration.get('oauth.scope') or ''}".split()
        offline = element.key != "microsoftgraph" or "offline_access" in scope
        return Grant(new_secret(), new_secret() if offline else None)

    def _problem(
        self, code: Code, element: Element, value: str, configuration: dict[str, str | None], lifetime: float
    ) -> str | None:
        """Return the reason to refuse a code, or None."""
        if code.element != element.key or value.startswith(REJECTED_PREFIX):
            return "unknown"
        if code.redeemed:
            return "used"
        expires = code.minted + lifetime if code.expires is None else code.expires
        if time.monotonic() >= expires:
            return "expired"
        if code.client_id is not None and code.client_id != configuration.get("oauth.api.key"):
            return "client"
        bound = code.oauth_callback_url
        if bound is not None and bound != configuration.get("oauth.callback.url"):
            return "callback"
        return None

    def refresh(self, element: Element, configuration: dict[str, str | None], status: int) -> Grant:
        """Exchange a refresh token for an access token: external authentication.

        :param element: the element.
        :param configuration: the instance's configuration.
        :param status: the status of a refusal.
        """
        self.check(element, configuration, status)
        return Grant(new_secret(), configuration[REFRESH_TOKEN])

    def problem(
        self, element: Element, configuration: dict[str, str | None], ended: Mapping[Credential, str]
    ) -> str | None:
        """Return why the vendor refuses the credentials in a configuration, or None.

        :param element: the element.
        :param configuration: the instance's configuration.
        :param ended: credentials that the vendor once accepted and now refuses, each with the reason.
        """
        key = self._refused_key(element, configuration)
        if key is not None:
            return "refresh" if key == REFRESH_TOKEN else "credential"
        return ended.get(credential_of(element, configuration))

    def check(self, element: Element, configuration: dict[str, str | None], status: int) -> None:
        """Raise the vendor's refusal when it does not accept the credentials.

        :param element: the element.
        :param configuration: the instance's configuration.
        :param status: the status of a refusal.
        """
        problem = self.problem(element, configuration, {})
        if problem is not None:
            raise refusal(element, problem, status)

    def _refused_key(self, element: Element, configuration: dict[str, str | None]) -> str | None:
        """Return the key of a refused credential: not accepted, with the documented prefix, or a mask."""
        accepted = self._accepted.get(element.key)
        if accepted is not None and configuration.get(element.rotated_key) not in accepted:
            return element.rotated_key
        for key in sorted(element.secret_keys):
            value = configuration.get(key)
            if value is not None and (value.startswith(REJECTED_PREFIX) or value == MASK):
                return key
        return None


def credential_of(element: Element, configuration: dict[str, str | None]) -> Credential:
    """Return a person's login at the vendor, which a revocation ends.

    :param element: the element.
    :param configuration: the instance's configuration.
    """
    values = tuple(configuration.get(key) for key in element.login_keys)
    # Without a refresh token there is only the access token.
    return values if any(values) else (configuration.get(USER_TOKEN),)


def refusal(element: Element, problem: str, status: int) -> ApiError:
    """Return the error of a vendor that refuses.

    :param element: the element whose vendor refuses.
    :param problem: key of the vendor's text.
    :param status: HTTP status of the error.
    """
    texts = _MICROSOFT if element.key == "microsoftgraph" else _OTHERS
    return ApiError(status, f"Failed to authenticate with {element.name}", texts[problem])


def code_view(code: Code, lifetime: float) -> dict[str, Any]:
    """Return a code for the control calls, without its value.

    :param code: the code.
    :param lifetime: seconds that codes live.
    """
    expires = code.minted + lifetime if code.expires is None else code.expires
    return {
        "index": code.index,
        "fingerprint": code.fingerprint,
        "element": code.element,
        "minted": code.element is not None,
        "presented": code.presented,
        "exchanged": code.exchanged,
        "redeemed": code.redeemed,
        "expired": code.element is not None and time.monotonic() >= expires,
    }
