"""The platform's objects, as frozen dataclasses.

Code may rely only on id, name, token, element key and ``valid`` of an instance (fact F167). The rest is
missing in some samples, null in others, or text instead of a boolean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.parsing import (
    optional_id,
    parse_bool,
    parse_date,
    parse_id,
    parse_object,
    parse_text,
)
from airflow_provider_cloudelements.exceptions import CloudElementsServerError
from airflow_provider_cloudelements.keys import EVENT_CALLBACK_URL, EVENTS_ENABLED

__all__ = ["Element", "ElementKey", "ElementMetadata", "Instance"]

#: Text that the platform shows in place of a secret (fact F169).
MASK = "********"


@dataclass(frozen=True, slots=True)
class Instance:
    """An element instance: a live, authenticated connection to one vendor's API.

    :param id: Its id.
    :param name: Its name. Names are not unique.
    :param element_key: Key of its element, such as ``microsoftgraph``.
    :param element_id: Id of its element, which differs from environment to environment.
    :param token: The element token; ``None`` unless the caller asked for it. Never in ``repr``.
    :param tags: Its tags.
    :param valid: ``False`` when its stored authentication no longer works.
    :param disabled: Whether the platform refuses calls through it.
    :param created_date: When it was made, in UTC.
    :param events_enabled: Whether events are switched on.
    :param event_callback_url: Where the platform delivers them. Never in ``repr``: it may hold a token.
    :param external_authentication: ``none`` or ``initial``.
    :param configuration: Configuration, values as text or ``None``, secrets as asterisks. Never in ``repr``:
        the platform may show a vendor's token in it (fact F170).
    :param complete: Whether the answer held configuration, tags, ``disabled`` and the element's key. Some
        samples of lists leave out some of them (fact F167, unknown U167): then the defaults above prove
        nothing, and only a read of the one instance shows them.
    """

    id: int
    name: str
    element_key: str
    element_id: int | None = None
    token: str | None = field(default=None, repr=False)
    tags: tuple[str, ...] = ()
    valid: bool = True
    disabled: bool = False
    created_date: pendulum.DateTime | None = None
    events_enabled: bool = False
    event_callback_url: str | None = field(default=None, repr=False)
    external_authentication: str | None = None
    configuration: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    complete: bool = field(default=True, compare=False)

    @classmethod
    def parse(cls, body: Any, *, keep_token: bool = False) -> Instance:
        """Read an instance object.

        :param body: The API's JSON.
        :param keep_token: Whether to keep the token. Lists drop it, so that it cannot leak.
        :raises CloudElementsServerError: The body is no instance.
        """
        data = parse_object(body, "instance")
        element = data.get("element")
        element = element if isinstance(element, Mapping) else {}
        configuration = parse_configuration(data.get("configuration"))
        enabled = data.get("eventsEnabled")
        return cls(
            id=parse_id(data.get("id"), "instance"),
            name=parse_text(data.get("name")) or "",
            element_key=parse_text(element.get("key")) or "",
            element_id=optional_id(element.get("id")) or optional_id(data.get("elementId")),
            token=_token(data.get("token")) if keep_token else None,
            tags=parse_tags(data.get("tags")),
            valid=parse_bool(data.get("valid"), default=True),
            disabled=parse_bool(data.get("disabled")),
            created_date=parse_date(data.get("createdDate")),
            events_enabled=parse_bool(enabled, default=parse_bool(configuration.get(EVENTS_ENABLED))),
            event_callback_url=callback_url(data.get("eventsNotificationCallbackUrl"), configuration),
            external_authentication=parse_text(data.get("externalAuthentication")),
            configuration=configuration,
            complete=isinstance(data.get("configuration"), Mapping)
            and isinstance(data.get("tags"), list)
            and data.get("disabled") is not None
            and bool(parse_text(element.get("key"))),
        )

    @property
    def healthy(self) -> bool:
        """Whether calls through the instance can be expected to work."""
        return self.valid and not self.disabled


@dataclass(frozen=True, slots=True)
class Element:
    """An element of the catalogue. Each instance belongs to one element.

    :param id: Its id, which differs from environment to environment.
    :param key: Its key.
    :param name: Its name for people.
    :param hub: Key of its hub.
    :param authentication: Kind of authentication, such as ``oauth2``; ``None`` if the platform does not say.
    :param active: Whether it can be used.
    :param deleted: Whether it was removed.
    """

    id: int | None
    key: str
    name: str | None = None
    hub: str | None = None
    authentication: str | None = None
    active: bool = True
    deleted: bool = False

    @classmethod
    def parse(cls, body: Any) -> Element:
        """Read an element.

        :raises CloudElementsServerError: The body is no element.
        """
        data = parse_object(body, "element")
        authentication = data.get("authentication")
        kind = authentication.get("type") if isinstance(authentication, Mapping) else authentication
        return cls(
            id=optional_id(data.get("id")),
            key=parse_text(data.get("key")) or "",
            name=parse_text(data.get("name")),
            hub=parse_text(data.get("hub")),
            authentication=parse_text(kind) or parse_text(data.get("typeOauth")),
            active=parse_bool(data.get("active"), default=True),
            deleted=parse_bool(data.get("deleted")),
        )


@dataclass(frozen=True, slots=True)
class ElementMetadata:
    """What an element can do with events (fact F86).

    :param id: Id of the element.
    :param key: Its key.
    :param name: Its name for people.
    :param events_supported: Whether it has events at all; ``None`` if the platform does not say.
    :param event_methods: ``polling``, ``webhook`` or both.
    """

    id: int | None
    key: str
    name: str | None = None
    events_supported: bool | None = None
    event_methods: tuple[str, ...] = ()

    @classmethod
    def parse(cls, body: Any) -> ElementMetadata:
        """Read an element's metadata.

        ``events`` is an object, or an array of methods in the list's shape.

        :raises CloudElementsServerError: The body is no metadata.
        """
        data = parse_object(body, "element's metadata")
        events = data.get("events")
        methods = parse_tags(events.get("methods") if isinstance(events, Mapping) else events)
        told = events.get("supported") if isinstance(events, Mapping) else None
        supported: bool | None = parse_bool(told, default=bool(methods))
        if told is None and not methods and not isinstance(events, list):
            supported = None
        return cls(
            id=optional_id(data.get("id")),
            key=parse_text(data.get("key")) or "",
            name=parse_text(data.get("name")),
            events_supported=supported,
            event_methods=methods,
        )


@dataclass(frozen=True, slots=True)
class ElementKey:
    """One configuration key of an element (fact F93).

    :param key: Its name in a configuration.
    :param required: Whether a create must give it a value: the element requires it, and has no default for
        it (fact F164).
    """

    key: str
    required: bool = False

    @classmethod
    def parse(cls, body: Any) -> ElementKey:
        """Read a row of an element's configuration.

        A row that is inactive, internal, or set for a whole company or reseller requires nothing of a caller.

        :raises CloudElementsServerError: The body is no row.
        """
        data = parse_object(body, "element's configuration key")
        filled = data.get("defaultValue") not in (None, "") or any(
            parse_bool(data.get(name)) for name in ("internal", "companyConfig", "resellerConfig")
        )
        required = parse_bool(data.get("required")) and parse_bool(data.get("active"), default=True)
        return cls(parse_text(data.get("key")) or "", required and not filled)


def parse_tags(value: Any) -> tuple[str, ...]:
    """Read a list of texts.

    An old sample has objects with a name in place of tags (fact F173).
    """
    if not isinstance(value, list):
        return ()
    if all(isinstance(each, str) for each in value):
        return tuple(value)
    names = (each.get("name") if isinstance(each, Mapping) else each for each in value)
    return tuple(name for name in names if isinstance(name, str))


def parse_configuration(value: Any) -> dict[str, str | None]:
    """Read a configuration, with every value as text."""
    if not isinstance(value, Mapping):
        return {}
    return {str(key): configuration_text(each) for key, each in value.items()}


def configuration_text(value: Any) -> str | None:
    """Write a configuration value as the platform stores it: as text (fact F168)."""
    if value is None or isinstance(value, str):
        return value
    try:
        return json.dumps(value, separators=(",", ":"), default=str)
    except RecursionError:
        raise CloudElementsServerError("A configuration value is nested too deeply to be read.") from None


def _token(value: Any) -> str | None:
    # A text that no header can carry is no token, and masking it would fail.
    text = parse_text(value)
    return text if text and text.isascii() and text.isprintable() and text == text.strip() else None


def callback_url(field: Any, configuration: Mapping[str, str | None]) -> str | None:
    """Return where the platform delivers an instance's events.

    :param field: The instance's own field of it.
    :param configuration: Its configuration, which holds it as well.
    """
    url = parse_text(field) or configuration.get(EVENT_CALLBACK_URL)
    # One sample holds the word "false" for a callback that is not set (fact F207).
    return None if not url or url == "false" else url
