"""The keys of an instance's configuration that this provider itself reads or writes, each once."""

from __future__ import annotations

# What logs in at the vendor. The names are not the values: S105 takes them for such.
API_KEY = "oauth.api.key"
API_SECRET = "oauth.api.secret"  # noqa: S105
OAUTH_SCOPE = "oauth.scope"
OAUTH_CALLBACK_URL = "oauth.callback.url"
REFRESH_TOKEN = "oauth.user.refresh_token"  # noqa: S105
USERNAME = "username"
PASSWORD = "password"  # noqa: S105
#: What the platform itself got from the vendor's login, and replaces whenever the vendor does, begins so.
PLATFORMS_OWN = "oauth.user."

# Events: switched on, delivered to, signed with (facts F201, F202).
EVENTS_ENABLED = "event.notification.enabled"
EVENT_CALLBACK_URL = "event.notification.callback.url"
EVENT_SIGNATURE_KEY = "event.notification.signature.key"

# How the platform gets them from the vendor (facts F203 to F210).
EVENT_VENDOR_TYPE = "event.vendor.type"
EVENT_POLLER_INTERVAL = "event.poller.refresh_interval"
EVENT_POLLER_CONFIGURATION = "event.poller.configuration"
EVENT_POLLER_URLS = "event.poller.urls"
EVENT_OBJECTS = "event.objects"
