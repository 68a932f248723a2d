"""Check the parts of a create or update body and bring them into the platform's form."""

from __future__ import annotations

import json
import re
from typing import Any

from airflow_provider_cloudelements.sandbox.core.errors import ApiError, bad_request, not_found
from airflow_provider_cloudelements.sandbox.elements.catalogue import Element, find
from airflow_provider_cloudelements.sandbox.settings import MASK, Behaviour

_MARKUP = re.compile(r"<[^<>]*>")


def plain(text: str) -> str:
    """Return ``text`` without HTML markup, as the platform keeps names and tags (fact F171).

    :param text: what the caller sent.
    """
    return _MARKUP.sub("", text)


def read_name(body: dict[str, Any]) -> str | None:
    """Return the name in a body without markup, or None when there is none.

    :param body: the request's body.
    """
    name = body.get("name")
    if name is None:
        return None
    if isinstance(name, (dict, list)):
        raise bad_request("Field name must be a string")
    return plain(as_text(name) or "")


def read_tags(body: dict[str, Any]) -> list[str] | None:
    """Return the tags in a body without markup, or None when there are none.

    An empty list is a list: ``tags: []`` reads back ``[]`` (fact F172, choice C162). An object with a name,
    the form of 2015, counts as its name (fact F173).

    :param body: the request's body.
    """
    tags = body.get("tags")
    if tags is None:
        return None
    if not isinstance(tags, list):
        raise bad_request("Field tags must be a list of strings")
    texts = [tag.get("name") if isinstance(tag, dict) else tag for tag in tags]
    if not all(isinstance(text, str) for text in texts):
        raise bad_request("Field tags must be a list of strings")
    return [plain(text) for text in texts if isinstance(text, str)]


def as_text(value: Any) -> str | None:
    """Return a configuration value as the platform keeps it: a string or None (fact F168).

    :param value: any JSON value.
    """
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def read_configuration(
    body: dict[str, Any], behaviour: Behaviour, masked: frozenset[str]
) -> dict[str, str | None]:
    """Return the configuration in a body as strings. The settings decide on masks (unknown U162).

    :param body: the request's body.
    :param behaviour: what a written mask does.
    :param masked: names of the keys that read back masked.
    """
    given = body.get("configuration")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise bad_request("Field configuration must be an object")
    values = {key: as_text(value) for key, value in given.items()}
    for key in [key for key, value in values.items() if value == MASK and key in masked]:
        if behaviour.masked_values == "reject":
            raise bad_request(f"Configuration {key} is a mask, not a value")
        if behaviour.masked_values == "ignore":
            del values[key]
    return values


def read_code(body: dict[str, Any]) -> str | None:
    """Return the authorization code in a body, or None.

    :param body: the request's body.
    """
    provider_data = body.get("providerData")
    if provider_data is None:
        return None
    if not isinstance(provider_data, dict):
        raise bad_request("Field providerData must be an object")
    code = provider_data.get("code")
    if code is not None and not isinstance(code, str):
        raise bad_request("Field providerData.code must be a string")
    return code or None


def read_debug(body: dict[str, Any]) -> bool:
    """Return whether a body requests a trace of its authentication: providerData.debug (fact F136).

    :param body: the request's body.
    """
    provider_data = body.get("providerData")
    # Accept the text "true" as well: every other value of providerData is text.
    return isinstance(provider_data, dict) and provider_data.get("debug") in (True, "true")


def read_flag(body: dict[str, Any], name: str) -> bool:
    """Return a boolean field of a body, or False when the body does not have it.

    :param body: the request's body.
    :param name: the field's name.
    """
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad_request(f"Field {name} must be true or false")
    return bool(value)


def read_external(body: dict[str, Any], element: Element) -> str | None:
    """Return externalAuthentication in a body: none, initial or None (fact F131).

    :param body: the request's body.
    :param element: the element; only an OAuth2 element accepts initial (fact F131).
    """
    external = body.get("externalAuthentication")
    if external is None:
        return None
    if external not in ("none", "initial"):
        raise bad_request("Field externalAuthentication must be none or initial")
    if external == "initial" and element.authentication != "oauth2":
        raise bad_request(f"Element {element.key} does not take externalAuthentication")
    return str(external)


def read_element(body: dict[str, Any]) -> Element | None:
    """Return the element named in a body by key or id, or None; an unknown one is 404 (facts F165, F184).

    :param body: the request's body.
    """
    given = body.get("element")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise bad_request("Field element must be an object with a key")
    name = given.get("key", given.get("id"))
    if name is None or name == "":
        return None
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        raise bad_request("Field element.key must be a string")
    # No element has an id of thousands of digits, so do not turn one into text.
    element = find(name) if isinstance(name, str) else find(str(name)) if abs(name) < 10**18 else None
    if element is None:
        raise not_found("element with this key")
    return element


def refuse_proxy(body: dict[str, Any]) -> None:
    """Refuse an OAuth proxy (fact F140), which the sandbox does not emulate.

    :param body: the request's body.
    """
    if body.get("oauthProxy"):
        raise ApiError(400, "The sandbox does not emulate OAuth proxies")
