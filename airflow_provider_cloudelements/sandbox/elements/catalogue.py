"""The elements that the sandbox knows, how each authenticates and which configuration it needs.

Keys, hubs and authentication kinds follow the public documents. Only ``microsoftgraph`` is documented to the
last configuration key (fact F90); the site keys of the others (``zendesk.subdomain`` and the like) are made
up (choice C87), and so are all numeric ids, which differ on each environment and must never be hard-coded
(fact F89).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

#: Configuration keys that read back as eight asterisks (fact F169).
MASKED_KEYS = frozenset({"password", "oauth.api.key", "oauth.api.secret"})

#: Keys for the tokens that the vendor gave the platform, and for how often it renews them (facts F170, F132).
USER_TOKEN = "oauth.user.token"  # noqa: S105 - a name
REFRESH_TOKEN = "oauth.user.refresh_token"  # noqa: S105 - a name
REFRESH_INTERVAL = "oauth.user.refresh_interval"

#: The keys about events that the sandbox acts on (facts F201 to F206).
EVENTS_ENABLED = "event.notification.enabled"
CALLBACK_URL = "event.notification.callback.url"
SIGNATURE_KEY = "event.notification.signature.key"
VENDOR_TYPE = "event.vendor.type"
POLL_INTERVAL = "event.poller.refresh_interval"
POLLER_CONFIGURATION = "event.poller.configuration"
POLLED_OBJECTS = "event.objects"

#: The key that says whether empty fields of records are left out (fact F221).
NULLS_FILTER = "filter.response.nulls"


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration key of an element (fact F93).

    :param key: its name on the wire.
    :param name: its label.
    :param type: the kind of field; PASSWORD also means that it reads back masked.
    :param required: whether a create must send it.
    :param default: its value if the caller gives none, a string or None.
    """

    key: str
    name: str
    type: str = "TEXTFIELD_128"
    required: bool = False
    default: str | None = None


@dataclass(frozen=True)
class Element:
    """One element of the catalogue.

    :param id: numeric id, the sandbox's own.
    :param key: its key on the wire.
    :param name: display name.
    :param hub: the hub it belongs to.
    :param authentication: oauth2, basic or custom.
    :param own_keys: configuration keys beyond those of its authentication kind.
    :param objects: names of its resources.
    :param event_methods: polling, webhook, both or none (fact F95).
    :param vendor_names: what the vendor itself calls a resource, where that differs (choice C323).
    """

    id: int
    key: str
    name: str
    hub: str
    authentication: str
    own_keys: tuple[Key, ...] = ()
    objects: tuple[str, ...] = ()
    event_methods: tuple[str, ...] = ("polling",)
    vendor_names: tuple[tuple[str, str], ...] = ()

    def object_named(self, name: str) -> str | None:
        """Return the resource of this name, which may be the vendor's own name, or None.

        :param name: text of a path or body.
        """
        if name in self.objects:
            return name
        return next((own for own, vendors in self.vendor_names if vendors == name), None)

    @cached_property
    def keys(self) -> dict[str, Key]:
        """All configuration keys by name: those of the authentication kind, the element and the events."""
        return {
            key.key: key for key in (*AUTHENTICATION_KEYS[self.authentication], *self.own_keys, *COMMON_KEYS)
        }

    @cached_property
    def masked(self) -> frozenset[str]:
        """Names of the keys that read back as asterisks."""
        return MASKED_KEYS | {name for name, key in self.keys.items() if key.type == "PASSWORD"}

    @cached_property
    def secret_keys(self) -> frozenset[str]:
        """Names of the keys that the vendor checks: the masked ones and a basic login's name."""
        return self.masked | {"username"}

    @cached_property
    def login_keys(self) -> tuple[str, ...]:
        """Names of the keys that hold a person's login at the vendor, which that person can revoke."""
        if self.authentication == "oauth2":
            return (REFRESH_TOKEN,)
        return tuple(name for name, key in self.keys.items() if key.type == "PASSWORD")

    @property
    def rotated_key(self) -> str:
        """Name of the key whose value gets rotated: the app's secret or the login's."""
        return "oauth.api.secret" if self.authentication == "oauth2" else self.login_keys[-1]

    @cached_property
    def defaults(self) -> dict[str, str | None]:
        """What the configuration of a new instance holds before the caller's values."""
        return {name: key.default for name, key in self.keys.items()}

    @cached_property
    def abridged(self) -> dict[str, Any]:
        """The element as GET /elements?abridged=true lists it (its fields are choice C81)."""
        return {
            "id": self.id,
            "key": self.key,
            "name": self.name,
            "hub": self.hub,
            "active": True,
            "authentication": {"type": self.authentication},
        }

    @cached_property
    def view(self) -> dict[str, Any]:
        """The element as the API shows it, alone and inside an instance (fact F167)."""
        return {
            "id": self.id,
            "name": self.name,
            "hub": self.hub,
            "key": self.key,
            "description": f"{self.name} in the Cloud Elements sandbox",
            "image": f"elements/provider_{self.key}.png",
            "active": True,
            "deleted": False,
            "typeOauth": self.authentication == "oauth2",
            "trialAccount": False,
            "resources": [],
            "transformationsEnabled": True,
            "bulkDownloadEnabled": True,
            "bulkUploadEnabled": True,
            "cloneable": True,
            "extendable": True,
            "beta": False,
            "authentication": {"type": self.authentication},
            "extended": False,
            "protocolType": "http",
            "parameters": [],
            "private": False,
        }

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The element's metadata (fact F86)."""
        events: dict[str, Any] = {"supported": bool(self.event_methods), "methods": list(self.event_methods)}
        if "polling" in self.event_methods:
            events["pollingVersion"] = "v1"
            events["polling"] = {
                name: {"pollUrl": f"/hubs/{self.hub}/{name}", "eventTypes": ["CREATED", "UPDATED"]}
                for name in self.objects
            }
        if "webhook" in self.event_methods:
            events["webhook"] = {
                name: {"eventTypes": ["CREATED", "UPDATED", "DELETED"]} for name in self.objects
            }
        return {
            "id": self.id,
            "key": self.key,
            "name": self.name,
            "description": self.view["description"],
            "events": events,
        }


AUTHENTICATION_KEYS: dict[str, tuple[Key, ...]] = {
    "oauth2": (
        Key("oauth.api.key", "API Key", "TEXTFIELD_1000", required=True),
        Key("oauth.api.secret", "API Secret", "PASSWORD", required=True),
        Key("oauth.callback.url", "Callback URL", "TEXTFIELD_1000", required=True),
        Key("oauth.scope", "OAuth Scope", "TEXTFIELD_1000"),
        Key(USER_TOKEN, "OAuth User Token", "TEXTFIELD_1000"),
        Key(REFRESH_TOKEN, "OAuth Refresh Token", "PASSWORD"),
        Key(REFRESH_INTERVAL, "OAuth Refresh Interval", "TEXTFIELD_32", default="3600"),
    ),
    "basic": (
        Key("username", "Username", required=True),
        Key("password", "Password", "PASSWORD", required=True),
    ),
    "custom": (),
}

#: Keys that every element has (facts F201 to F206, F221).
COMMON_KEYS: tuple[Key, ...] = (
    Key(EVENTS_ENABLED, "Events Enabled", "BOOLEAN", default="false"),
    Key(CALLBACK_URL, "Event Notification Callback URL", "TEXTFIELD_1000"),
    Key(SIGNATURE_KEY, "Event Notification Signature Key", "TEXTFIELD_1000"),
    Key(VENDOR_TYPE, "Vendor Event Type"),
    Key(POLL_INTERVAL, "Event poller refresh interval (mins)", "TEXTFIELD_32", default="15"),
    Key(POLLER_CONFIGURATION, "Configure Polling", "TEXTAREA"),
    Key(POLLED_OBJECTS, "Objects to Monitor for Changes", "TEXTFIELD_1000"),
    Key(NULLS_FILTER, "Filter null values from the response", "BOOLEAN", default="true"),
)

ELEMENTS: tuple[Element, ...] = (
    Element(
        7301,
        "microsoftgraph",
        "Microsoft Graph",
        "general",
        "oauth2",
        objects=("calendars", "contacts", "events"),
        event_methods=("webhook",),
    ),
    Element(
        7302,
        "sfdc",
        "Salesforce Sales Cloud",
        "crm",
        "oauth2",
        objects=("accounts", "contacts", "leads", "opportunities"),
        event_methods=("polling", "webhook"),
        vendor_names=(
            ("accounts", "Account"),
            ("contacts", "Contact"),
            ("leads", "Lead"),
            ("opportunities", "Opportunity"),
        ),
    ),
    Element(
        7303,
        "closeio",
        "Close.io",
        "crm",
        "basic",
        objects=("contacts", "leads", "accounts", "opportunities", "tasks", "users"),
        event_methods=("webhook", "polling"),
    ),
    Element(
        7304,
        "hubspotcrm",
        "HubSpot CRM",
        "crm",
        "oauth2",
        objects=("accounts", "contacts", "leads", "opportunities", "owners"),
    ),
    Element(
        7305,
        "pipedrive",
        "Pipedrive",
        "crm",
        "custom",
        own_keys=(Key("api.token", "API Token", "PASSWORD", required=True),),
        objects=("contacts", "deals", "accounts", "activities", "opportunities"),
        event_methods=("polling", "webhook"),
        vendor_names=(("contacts", "persons"), ("accounts", "organizations")),
    ),
    Element(
        7306,
        "jira",
        "JIRA",
        "helpdesk",
        "basic",
        own_keys=(Key("base.url", "Site address", "TEXTFIELD_1000", required=True),),
        objects=("incidents", "users"),
        event_methods=("webhook",),
    ),
    Element(
        7307,
        "zendesk",
        "Zendesk",
        "helpdesk",
        "oauth2",
        own_keys=(Key("zendesk.subdomain", "Zendesk Subdomain", required=True),),
        objects=("incidents", "users"),
        event_methods=("polling", "webhook"),
    ),
    Element(
        7308,
        "freshdesk",
        "Freshdesk",
        "helpdesk",
        "basic",
        own_keys=(Key("subdomain", "Freshdesk Subdomain", required=True),),
        objects=("incidents", "contacts"),
    ),
    Element(
        7309, "box", "Box", "documents", "oauth2", objects=("files", "folders"), event_methods=("webhook",)
    ),
    Element(
        7310,
        "dropbox",
        "Dropbox",
        "documents",
        "oauth2",
        objects=("files", "folders"),
        event_methods=("webhook",),
    ),
    Element(
        7311,
        "netsuitecrm",
        "NetSuite CRM",
        "crm",
        "custom",
        own_keys=(
            Key("netsuite.accountId", "Account ID", required=True),
            Key("netsuite.token.id", "Token ID", "PASSWORD", required=True),
            Key("netsuite.token.secret", "Token Secret", "PASSWORD", required=True),
        ),
        objects=("customers", "contacts"),
    ),
)

_BY_KEY = {element.key: element for element in ELEMENTS}
_BY_ID = {str(element.id): element for element in ELEMENTS}

#: The hubs of all elements, in the order of their keys.
HUBS = tuple(sorted({element.hub for element in ELEMENTS}))

#: Every resource name of every element.
OBJECT_NAMES = frozenset(
    name
    for element in ELEMENTS
    for name in (*element.objects, *(vendors for _, vendors in element.vendor_names), "activities", "notes")
)


def find(key_or_id: str) -> Element | None:
    """Return the element with this key or numeric id.

    :param key_or_id: text of a path or body.
    """
    return _BY_KEY.get(key_or_id) or _BY_ID.get(key_or_id)


def find_by_id(text: str) -> Element | None:
    """Return the element with this numeric id.

    :param text: text of the path.
    """
    return _BY_ID.get(text)
