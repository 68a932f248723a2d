"""The settings of a sandbox, and the constants that every module shares.

Fact F1, choice C1 and unknown U1, here and in all modules, are numbers of ``docs/api-facts.md``. If it is
unknown what the platform does and the sandbox must do something, there is a field of :class:`Behaviour` (so
that a test can try the other way) or a choice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, get_args, get_type_hints

#: The prefix of every path of the platform, in every environment and in both brands (fact F1).
API_PREFIX = "/elements/api-v2"
#: The prefix of the sandbox's own calls, away from the API.
CONTROL_PREFIX = "/sandbox"

#: What a secret value reads back as (fact F169).
MASK = "********"

#: User secret of a sandbox, if none is chosen. It has the shape of a real one: base64 of 32 bytes (fact F5).
DEFAULT_USER_SECRET = "Sandbox/User+Secret/for+local+tests/only+00="  # noqa: S105 - a fake, public on purpose
#: Organization secret of a sandbox, if none is chosen: 32 hex characters, as a real one has (fact F5).
DEFAULT_ORGANIZATION_SECRET = "5a9db0c5000000000000000000c0ffee"  # noqa: S105 - a fake, public on purpose

#: Port of a sandbox that is started by hand, if none is chosen.
DEFAULT_PORT = 8095

#: The app that the platform itself has at every vendor; its name is the sandbox's own.
PLATFORM_CLIENT_ID = "cloud-elements-own-app"

#: Suffix that the platform's own pollers add to the key in /events/{key} (fact F219).
POLLING_SUFFIX = "Polling"

#: The sandbox answers a larger request body with 429 (fact F49).
MAX_BODY_BYTES = 8 * 1024 * 1024

#: Seconds of one unit of trace-logging's ``duration``, of which only fact F190 is known (choice C171).
TRACE_DURATION_UNIT = 1

#: The vendor refuses a credential (code, refresh token, password, key, secret ...) with this prefix.
REJECTED_PREFIX = "rejected"

CHOICES: dict[str, tuple[str, ...]] = {
    "masked_values": ("ignore", "store", "reject"),
    "empty_list": ("empty", "missing"),
    "tags_match": ("any", "all"),
    "list_rows": ("whole", "short"),
    "order": ("ascending", "descending"),
    "event_order": ("newest", "oldest", "visibility"),
    "unnotified_status": ("DISPATCHED", "CONSUMED"),
    "split_events": ("own", "shared"),
    "record_paging": ("token", "page"),
    "bulk_ranges": ("serve", "ignore"),
    "bulk_transfer": ("length", "chunked"),
    "notification_form": ("message", "response"),
    "outside_callback": ("skip", "fail"),
}
_AT_LEAST: dict[str, float] = {
    "page_size": 1,
    "max_page_size": 1,
    "vendor_refusal_status": 400,
    "events_kept": 1,
    "delivery_timeout": 0.01,
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the sandbox acts where the real platform is unknown, and how fast it answers.

    You can change all of it while the sandbox runs (``PATCH /sandbox/settings``), until the next reset.

    :param code_lifetime: seconds until an authorization code expires (fact F129).
    :param delay: seconds that every API call takes.
    :param create_delay: further seconds that a create takes, as if it talked to a vendor.
    :param masked_values: what the sandbox does with a written value of eight asterisks: ``ignore`` keeps the
        stored secret, ``store`` stores the asterisks (the vendor then refuses them), ``reject`` answers 400.
    :param masked_keys: further configuration keys that read back as asterisks (unknown U164).
    :param empty_list: the answer to an unfiltered ``GET /instances`` if there is no instance: ``empty`` is
        200 and ``[]``, ``missing`` is 404.
    :param list_rows: what a list shows of each instance (unknown U167): ``whole`` is all that a read of one
        shows, ``short`` leaves out configuration and ``disabled``, as some samples do.
    :param tags_match: whether an instance needs ``any`` or ``all`` of several ``tags[]`` (unknown U161).
    :param order: the order of ``GET /instances`` by id (unknown U163).
    :param page_size: rows of a page when the caller does not say.
    :param max_page_size: the most rows of a page; the sandbox reduces a larger size to it.
    :param records: how many records a resource begins with.
    :param record_paging: how the pages of a resource go on: by the ``token`` of an answer or the number of
        the ``page``, or by the number alone.
    :param bulk_duration: seconds that a bulk job takes at least.
    :param bulk_ranges: whether a call for a part of a result gets that part (``serve``) or all of it
        (``ignore``) (unknown U361).
    :param bulk_transfer: whether a result says its ``length`` beforehand or comes ``chunked`` (unknown U361).
    :param bulk_retention: seconds for which a result is kept (fact F374).
    :param formula_duration: seconds that the execution of a formula takes.
    :param vendor_refusal_status: status of a create that the vendor refused (unknown U121).
    :param failed_refresh_interval: seconds between two failed refreshes of a vendor's token; the fifth
        disables the instance (10 seconds, fact F133), with 0 at once.
    :param echo_provider_data: whether a create's answer repeats ``providerData`` (fact F174).
    :param event_order: the order of event lists: by arrival, ``newest`` or ``oldest`` first, or by
        ``visibility``: the event that became visible last comes first, so that dates are mixed.
    :param event_visible_after: seconds from an event's arrival until lists show it (fact F284).
    :param event_visible_spread: the most further seconds until then, a random number for each event.
    :param event_notified_after: seconds from an event's arrival until it is NOTIFIED.
    :param unnotified_status: the last status of an event without a notification.
    :param split_events: if a vendor's body fills several notifications, either each is an event with an id of
        its ``own``, or all are one event with a ``shared`` id (unknown U245).
    :param events_kept: the most events that the sandbox keeps; it forgets the oldest first.
    :param event_retention: seconds until the sandbox forgets an event, 0 for never.
    :param notification_form: the body of a delivery: ``message`` (fact F247) or ``response`` (fact F252).
    :param delivery_timeout: seconds that a receiver may take.
    :param outside_callback: the sandbox never calls a callback that is no loopback address; it leaves such a
        delivery alone (``skip``) or counts it as failed (``fail``).
    :param retry_count: how often the sandbox retries a failed delivery (fact F256; older: 9).
    :param retry_base: retry x comes base ^ (exponent * x) seconds after the try before it.
    :param retry_exponent: see ``retry_base`` (older: 2).
    :param time_factor: multiplies the pauses before retries and between polls.
    """

    code_lifetime: float = 600.0
    delay: float = 0.0
    create_delay: float = 0.0
    masked_values: str = "ignore"
    masked_keys: tuple[str, ...] = ()
    empty_list: str = "empty"
    tags_match: str = "any"
    list_rows: str = "whole"
    order: str = "ascending"
    page_size: int = 200
    max_page_size: int = 200
    records: int = 3
    record_paging: str = "token"
    bulk_duration: float = 0.0
    bulk_ranges: str = "serve"
    bulk_transfer: str = "length"
    bulk_retention: float = 259_200.0
    formula_duration: float = 0.0
    vendor_refusal_status: int = 400
    failed_refresh_interval: float = 10.0
    echo_provider_data: bool = False
    event_order: str = "newest"
    event_visible_after: float = 0.0
    event_visible_spread: float = 0.0
    event_notified_after: float = 0.0
    unnotified_status: str = "DISPATCHED"
    split_events: str = "own"
    events_kept: int = 100_000
    event_retention: float = 0.0
    notification_form: str = "message"
    delivery_timeout: float = 10.0
    outside_callback: str = "skip"
    retry_count: int = 5
    retry_base: float = 2.0
    retry_exponent: float = 3.0
    time_factor: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a value of the wrong type or range; the error names the field."""
        hints = get_type_hints(type(self))
        for entry in fields(self):
            _check(entry.name, getattr(self, entry.name), hints[entry.name])

    def changed(self, changes: dict[str, Any]) -> Behaviour:
        """Return a copy with these fields changed.

        :param changes: new values by field name.
        :raises ValueError: for an unknown field or an invalid value.
        """
        known = {entry.name for entry in fields(self)}
        for name in changes:
            if name not in known:
                raise ValueError(f"unknown setting; the settings are {', '.join(sorted(known))}")
        prepared: dict[str, Any] = {
            name: tuple(value) if name == "masked_keys" and isinstance(value, list) else value
            for name, value in changes.items()
        }
        return replace(self, **prepared)


def _check(name: str, value: Any, hint: Any) -> None:
    """Raise ValueError if ``value`` does not fit the field ``name`` of type ``hint``."""
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}")
    elif hint is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false")
    elif get_args(hint):
        if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"{name} must be a list of strings")
    elif isinstance(value, bool) or not isinstance(value, int if hint is int else (int, float)):
        raise ValueError(f"{name} must be a number")
    elif not _AT_LEAST.get(name, 0) <= value <= (499 if name == "vendor_refusal_status" else 1_000_000):
        raise ValueError(f"{name} is out of range")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that are fixed when a sandbox starts.

    :param user_secret: the value that the word User must have.
    :param organization_secret: the value that the word Organization must have.
    :param behaviour: the behaviour that a reset restores.
    """

    user_secret: str = field(default=DEFAULT_USER_SECRET, repr=False)
    organization_secret: str = field(default=DEFAULT_ORGANIZATION_SECRET, repr=False)
    behaviour: Behaviour = Behaviour()

    def __post_init__(self) -> None:
        """Refuse secrets that no Authorization header can carry."""
        for name in ("user_secret", "organization_secret"):
            value = getattr(self, name)
            if not value or not value.isascii() or not value.isprintable() or "," in value or " " in value:
                raise ValueError(f"{name} must be printable ASCII without spaces or commas")
