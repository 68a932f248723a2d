"""Check an instance's event settings, and write them as configuration keys (facts F201 to F210)."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypedDict, get_args, get_type_hints, is_typeddict

from airflow_provider_cloudelements.client.models import ElementMetadata
from airflow_provider_cloudelements.connections import is_web_url
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.keys import (
    EVENT_CALLBACK_URL,
    EVENT_OBJECTS,
    EVENT_POLLER_CONFIGURATION,
    EVENT_POLLER_INTERVAL,
    EVENT_POLLER_URLS,
    EVENT_SIGNATURE_KEY,
    EVENT_VENDOR_TYPE,
    EVENTS_ENABLED,
)

#: Elements use both spellings of the webhook type (fact F202). The element's documentation says which one.
VendorType = Literal["polling", "webhook", "webhooks"]

_URLS_SEPARATOR = "|"
_OBJECTS_SEPARATOR = ","
#: Stands in an element's metadata for the name of any object (fact F206).
_PLACEHOLDER = "{objectName}"


class PollerDates(TypedDict, total=False):
    """Describe the place and format of a polled record's dates (fact F210).

    Formats are those of Java's SimpleDateFormat, or the word ``milliseconds``.
    """

    updatedDateField: str
    updatedDateFormat: str
    updatedDateTimezone: str
    createdDateField: str
    createdDateFormat: str
    createdDateTimezone: str


class PollerResource(TypedDict, total=False):
    """Describe how the platform polls one resource (fact F210).

    ``url`` is a path at the hub and may hold date macros; ``createdCheckTolerance`` and ``pollDelay`` are in
    seconds.
    """

    url: str
    idField: str
    filterByUpdatedDate: bool
    datesConfiguration: PollerDates
    createdCheckTolerance: int
    pageSize: int
    pollDelay: int


#: Least value of a number; the others start at zero.
_LEAST = {"pageSize": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSettings:
    """Hold an instance's event settings. An omitted setting stays as the instance or its element has it.

    :param enabled: Whether events are on.
    :param callback_url: Where the platform sends notifications, an absolute http or https address. Never in
        ``repr``: it may hold a token.
    :param signature_key: Key that signs notifications. Never in ``repr``.
    :param vendor_type: How the platform learns of events: ``polling``, or ``webhook``, which some elements
        spell ``webhooks``.
    :param poller_interval: Time between two polls, whole minutes, as an integer or a ``timedelta``; at least
        one minute (fact F203). Kept as an integer. The platform's default is 15.
    :param poller_configuration: Maps resource names to :class:`PollerResource` dictionaries. The platform
        recommends to change it only with its support's help (fact F205).
    :param poller_urls: Names of resources, for older pollers.
    :param objects: Names of resources, for newer pollers; they stand in the element's metadata.
    :param named: Names of the caller's arguments in errors, by the names here. Default: the names here.
    :raises CloudElementsValidationError: A value is malformed. Names the argument, never the value.
    """

    enabled: bool | None = None
    callback_url: str | None = field(default=None, repr=False)
    signature_key: str | None = field(default=None, repr=False)
    vendor_type: VendorType | None = None
    poller_interval: int | timedelta | None = None
    poller_configuration: Mapping[str, PollerResource] | None = field(default=None, repr=False)
    poller_urls: Sequence[str] | None = field(default=None, repr=False)
    objects: Sequence[str] | None = None
    named: InitVar[Mapping[str, str] | None] = None

    def __post_init__(self, named: Mapping[str, str] | None) -> None:
        for name, check in _CHECKS.items():
            value = getattr(self, name)
            if value is not None:
                # Keep a checked copy, so that later changes to a caller's list or dictionary have no effect.
                object.__setattr__(self, name, check((named or {}).get(name, name), value))

    def configuration(self) -> dict[str, Any]:
        """Return the configuration keys and values of the given settings.

        The poller's configuration is an object. The documentation allows an object or a JSON text (fact F204)
        and names the object first. The platform itself turns the object into text (fact F168). On reading
        back, the provider compares an object by meaning, while two texts could differ by a space.
        """
        values = {
            EVENTS_ENABLED: self.enabled,
            EVENT_CALLBACK_URL: self.callback_url,
            EVENT_SIGNATURE_KEY: self.signature_key,
            EVENT_VENDOR_TYPE: self.vendor_type,
            EVENT_POLLER_INTERVAL: self.poller_interval,
            EVENT_POLLER_CONFIGURATION: copy.deepcopy(self.poller_configuration),
            EVENT_POLLER_URLS: None if self.poller_urls is None else _URLS_SEPARATOR.join(self.poller_urls),
            EVENT_OBJECTS: None if self.objects is None else _OBJECTS_SEPARATOR.join(self.objects),
        }
        return {key: value for key, value in values.items() if value is not None}


def unsupported(settings: EventSettings, metadata: ElementMetadata | None) -> str | None:
    """Return why an element cannot have these event settings.

    ``objects`` alone does not require polling: it names resources, and the platform may learn of their events
    in any way.

    :param settings: The event settings.
    :param metadata: What the element can do (fact F86); ``None`` when that is not known.
    :return: One sentence; ``None`` when the element can have them, when the metadata do not say so or name no
        method, or when the settings are empty or only turn events off.
    """
    if metadata is None or settings.configuration() in ({}, {EVENTS_ENABLED: False}):
        return None
    element = f"Element {metadata.key or metadata.id!r}"
    if metadata.events_supported is False:
        return f"{element} has no events, as its metadata say: leave the event settings out."
    methods = {_method(each) for each in metadata.event_methods}
    if not methods:
        return None
    asking = {
        name: "polling"
        for name in ("poller_interval", "poller_configuration", "poller_urls")
        if getattr(settings, name) is not None
    }
    if settings.vendor_type is not None:
        asking["vendor_type"] = _method(settings.vendor_type)
    for method in dict.fromkeys(asking.values()):
        if method not in methods:
            names = " and ".join(name for name, asked in asking.items() if asked == method)
            return (
                f"{element} has its events by {' or '.join(sorted(methods))} alone, as its metadata say, and "
                f"not by {method}, which {names} asked for."
            )
    return None


def _method(name: str) -> str:
    """Return a method's name in one spelling: lower case, without the plural's s."""
    return name.lower().removesuffix("s")


def _fail(where: str, problem: str) -> CloudElementsValidationError:
    return CloudElementsValidationError(f"{where} {problem}")


def _switch(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _fail(where, f"must be True or False; it is of type {type(value).__name__}.")
    return value


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _fail(where, f"must be a string; it is of type {type(value).__name__}.")
    if not value:
        raise _fail(where, "is empty. Leave it out instead.")
    if value != value.strip() or not value.isprintable():
        raise _fail(where, "has white space around it or a control character in it. Remove that.")
    return value


def _address(where: str, value: Any) -> str:
    if not is_web_url(_text(where, value)):
        raise _fail(where, "must be an absolute address that begins with https:// or http://.")
    return str(value)


def _vendor_type(where: str, value: Any) -> str:
    if value not in get_args(VendorType):
        raise _fail(where, f"must be one of {', '.join(map(repr, get_args(VendorType)))}.")
    return str(value)


def _number(where: str, value: Any, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _fail(where, f"must be a whole number, at least {least}.")
    return value


def _minutes(where: str, value: Any) -> int:
    if isinstance(value, timedelta):
        # Not by dividing: pendulum's durations are timedeltas that another timedelta cannot divide.
        minutes = value.total_seconds() / 60
        value = int(minutes) if minutes.is_integer() else None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _fail(where, "must be whole minutes, at least one: an integer or a timedelta.")
    return value


def _names(where: str, value: Any, separator: str) -> tuple[str, ...]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise _fail(where, f"must be a list of names; it is of type {type(value).__name__}.")
    if not value:
        raise _fail(where, "is empty. Leave it out instead.")
    for number, each in enumerate(value):
        item = f"{where}[{number}]"
        if separator in _text(item, each):
            raise _fail(
                item, f"holds {separator!r}, which separates names. Give each name as its own list item."
            )
    return tuple(value)


def _urls(where: str, value: Any) -> tuple[str, ...]:
    return _names(where, value, _URLS_SEPARATOR)


def _objects(where: str, value: Any) -> tuple[str, ...]:
    names = _names(where, value, _OBJECTS_SEPARATOR)
    if _PLACEHOLDER in names:
        raise _fail(
            f"{where}[{names.index(_PLACEHOLDER)}]",
            f"is {_PLACEHOLDER}, which stands for any name in an element's metadata. Give the names instead.",
        )
    return names


def _resources(where: str, value: Any) -> dict[str, dict[str, Any]]:
    return {
        _text(f"A resource name in {where}", name): _shaped(f"{where}[{name!r}]", resource, PollerResource)
        for name, resource in _mapping(where, value).items()
    }


def _shaped(where: str, value: Any, shape: type) -> dict[str, Any]:
    """Copy a mapping, and check that its keys and types are those of a TypedDict."""
    known = get_type_hints(shape)
    copied = {}
    for key, each in _mapping(where, value).items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=3)
            hint = (
                f"Did you mean {' or '.join(map(repr, near))}?" if near else f"Known are: {', '.join(known)}."
            )
            raise _fail(where, f"has no key {key!r}. {hint}")
        copied[key] = _of_kind(f"{where}[{key!r}]", each, known[key], _LEAST.get(key, 0))
    return copied


def _of_kind(where: str, value: Any, kind: type, least: int) -> Any:
    if is_typeddict(kind):
        return _shaped(where, value, kind)
    if kind is bool:
        return _switch(where, value)
    return _number(where, value, least) if kind is int else _text(where, value)


def _mapping(where: str, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise _fail(where, f"must be a dictionary; it is of type {type(value).__name__}.")
    # An empty dictionary would replace the element's own values.
    if not value:
        raise _fail(where, "is empty. Leave it out instead.")
    return value


_CHECKS = {
    "enabled": _switch,
    "callback_url": _address,
    "signature_key": _text,
    "vendor_type": _vendor_type,
    "poller_interval": _minutes,
    "poller_configuration": _resources,
    "poller_urls": _urls,
    "objects": _objects,
}
