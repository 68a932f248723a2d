"""From an operator's arguments and an element connection to the instance that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_cloudelements.client.models import configuration_text
from airflow_provider_cloudelements.client.tags import full_key
from airflow_provider_cloudelements.connections import ConnectionSettings, ElementSettings, is_web_url
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.keys import EVENT_CALLBACK_URL, EVENTS_ENABLED, REFRESH_TOKEN
from airflow_provider_cloudelements.operators._parts.consent import read_consent
from airflow_provider_cloudelements.provisioning.difference import plain_text
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec

#: In place of an argument that is not given, where ``None`` means something of its own.
NOT_GIVEN = ""


def default_key(element: str, name: str) -> str:
    """Return the key of an instance that was given none: stable over runs, retries and map indexes."""
    return f"{element}/{name}"


def instance_spec(
    settings: ConnectionSettings,
    credentials: ElementSettings | None,
    *,
    element: str | None,
    name: str,
    key: str | None,
    configuration: Any,
    authorization_code: Any,
    authorization_state: Any,
    provider_data: Any,
    events_enabled: bool | None,
    event_callback_url: str | None,
    event_configuration: Any,
    tags: Any,
    origin: str | None,
) -> InstanceSpec:
    """Build the instance that an operator's rendered arguments ask for.

    An argument goes before ``configuration``, and that before the element connection. Two different values
    of one key within the DAG are an error.

    :raises CloudElementsValidationError: Arguments are missing, malformed or contradict each other. Names
        them, never their values.
    """
    element = chosen_element(element, credentials)
    # Markup alone counts as nothing: the platform strips it, and would find a name of its own.
    if not isinstance(name, str) or not plain_text(name):
        raise CloudElementsValidationError("instance_name is empty.")
    if key is not None and not key.strip():
        raise CloudElementsValidationError(
            "instance_key is empty. Leave it out, or see what its template is made from."
        )
    wanted = given_configuration(configuration, event_configuration, events_enabled, event_callback_url)
    login = given_login(authorization_code, authorization_state, provider_data)
    if login and wanted.get(REFRESH_TOKEN):
        raise CloudElementsValidationError(
            f"Both an authorization code and {REFRESH_TOKEN!r} are given; one of them makes an instance."
        )
    inherited = dict(credentials.configuration) if credentials is not None else {}
    if login:
        inherited.pop(REFRESH_TOKEN, None)
    if event_callback_url is None:
        inherited.pop(EVENT_CALLBACK_URL, None)
    wanted = {EVENTS_ENABLED: True, **inherited, **wanted}
    _check_events(wanted, event_callback_url)
    return InstanceSpec(
        element=element,
        name=name.strip(),
        key=full_key(settings, key or default_key(element, name.strip())),
        configuration=wanted,
        provider_data=login,
        external_authentication="initial" if wanted.get(REFRESH_TOKEN) else None,
        tags=tag_list("tags", tags),
        origin=origin,
    )


def given_configuration(
    configuration: Any,
    event_configuration: Any = None,
    events_enabled: bool | None = None,
    event_callback_url: str | None = NOT_GIVEN,
) -> dict[str, Any]:
    """Return what arguments say of the configuration, by the API's keys.

    :raises CloudElementsValidationError: They are malformed, or two of them differ.
    """
    wanted = _object("configuration", configuration)
    _add(wanted, "event_configuration", _event_keys(event_configuration))
    if events_enabled is not None:
        _add(wanted, "events_enabled", {EVENTS_ENABLED: events_enabled})
    if event_callback_url:
        _add(wanted, "event_callback_url", {EVENT_CALLBACK_URL: event_callback_url})
    _check_address(wanted.get(EVENT_CALLBACK_URL))
    return wanted


def _check_address(url: Any) -> None:
    if url and not (isinstance(url, str) and is_web_url(url)):
        raise CloudElementsValidationError(
            "event_callback_url must be an absolute address that begins with https:// or http://."
        )


def given_login(authorization_code: Any, authorization_state: Any, provider_data: Any) -> dict[str, Any]:
    """Return what a vendor's login gave, as the API's ``providerData``.

    :raises CloudElementsValidationError: It is malformed, or the code is another consent's.
    """
    login = _object("provider_data", provider_data)
    if (code := read_consent(authorization_code, authorization_state or None)) is not None:
        _add(login, "authorization_code", {"code": code}, where="provider_data")
    return login


def chosen_element(element: str | None, credentials: ElementSettings | None) -> str:
    """Return the element's key: the argument's, or the element connection's.

    :raises CloudElementsValidationError: There is none, or the two differ.
    """
    named = credentials.element if credentials is not None else None
    if element and named and element != named:
        raise CloudElementsValidationError(
            f"element is {element!r}, but connection {credentials.conn_id!r} is for {named!r}."  # type: ignore[union-attr]
        )
    if not (element or named):
        raise CloudElementsValidationError(
            "element is missing: give it, or an element connection that names one."
        )
    return str(element or named)


def _object(argument: str, value: Any) -> dict[str, Any]:
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise CloudElementsValidationError(
            f"{argument} must be a dictionary with strings as keys; it is of type {type(value).__name__}."
        )
    return dict(value)


def _event_keys(value: Any) -> dict[str, Any]:
    keys = _object("event_configuration", value)
    foreign = sorted(key for key in keys if not key.startswith("event."))
    if foreign:
        raise CloudElementsValidationError(
            f"event_configuration takes keys that begin with 'event.'; {', '.join(foreign)} goes into "
            "configuration."
        )
    return keys


def _add(
    into: dict[str, Any], argument: str, values: Mapping[str, Any], where: str = "configuration"
) -> None:
    """Add keys, unless what is there already says something else."""
    for key, value in values.items():
        if key in into and _plain(into[key]) != _plain(value):
            raise CloudElementsValidationError(
                f"{argument} and {where} give different values for {key!r}. Give it once."
            )
        into[key] = value


def _plain(value: Any) -> str | None:
    """Make values comparable: ``True`` is the text ``true``, in Python's spelling too."""
    text = configuration_text(value)
    return text.lower() if text in ("True", "False") else text


def _check_events(wanted: Mapping[str, Any], event_callback_url: str | None) -> None:
    url = wanted.get(EVENT_CALLBACK_URL)
    _check_address(url)
    if url and event_callback_url is None:
        raise CloudElementsValidationError(
            f"event_callback_url is None, but {EVENT_CALLBACK_URL!r} is given elsewhere in the arguments."
        )
    if str(wanted.get(EVENTS_ENABLED)).lower() == "true" and not url and event_callback_url is not None:
        raise CloudElementsValidationError(
            "events_enabled is True, but there is no event_callback_url, neither as an argument nor in the "
            "element connection. If events shall be kept to be read, and delivered nowhere, say "
            "event_callback_url=None; if there shall be none, events_enabled=False."
        )


def tag_list(argument: str, value: Any) -> tuple[str, ...] | None:
    """Read an argument that is a list of tags, or not given.

    :raises CloudElementsValidationError: It is something else.
    """
    if value is None:
        return None
    if (
        isinstance(value, str)
        or not isinstance(value, Sequence)
        or not all(isinstance(tag, str) for tag in value)
    ):
        raise CloudElementsValidationError(f"{argument} must be a list of strings.")
    return tuple(value)
