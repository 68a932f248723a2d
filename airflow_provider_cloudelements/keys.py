"""The keys of an instance's configuration that this provider reads or writes, each defined once.

The module imports nothing of the package.
"""

from __future__ import annotations

import re

# Credentials for the vendor. These are names of keys, not values; ruff's S105 takes them for values.
API_KEY = "oauth.api.key"
API_SECRET = "oauth.api.secret"  # noqa: S105
OAUTH_SCOPE = "oauth.scope"
OAUTH_CALLBACK_URL = "oauth.callback.url"
REFRESH_TOKEN = "oauth.user.refresh_token"  # noqa: S105
USERNAME = "username"
PASSWORD = "password"  # noqa: S105
#: Prefix of the values that the platform got from the vendor's login. It replaces them when the vendor does.
PLATFORMS_OWN = "oauth.user."

# Events: the switch, the address of delivery and the signature key (facts F201, F202).
EVENTS_ENABLED = "event.notification.enabled"
EVENT_CALLBACK_URL = "event.notification.callback.url"
EVENT_SIGNATURE_KEY = "event.notification.signature.key"

# How the platform gets events from the vendor (facts F203 to F210).
EVENT_VENDOR_TYPE = "event.vendor.type"
EVENT_POLLER_INTERVAL = "event.poller.refresh_interval"
EVENT_POLLER_CONFIGURATION = "event.poller.configuration"
EVENT_POLLER_URLS = "event.poller.urls"
EVENT_OBJECTS = "event.objects"


#: An address as this package shows it: asterisks stand for the login, or for a value of query, fragment or
#: path.
_MASKED_ADDRESS = re.compile(r"//(?:[^/?#@\s]*:)?[*]{3,}@|[?&#;](?:[^=&#;\s]*=)?[*]{3,}(?=[&#;?]|$)")


def is_asterisks(value: object, least: int = 1) -> bool:
    """Say whether a value consists of asterisks alone, or is an address whose secret parts do.

    The platform shows them in place of a secret (fact F169), and so do Airflow and this package.

    :param value: The value.
    :param least: Least number of asterisks. Default: 1.
    """
    text = value.strip() if isinstance(value, str) else ""
    if "//" in text and _MASKED_ADDRESS.search(text):
        return True
    return len(text) >= least and not text.strip("*")


def holds_asterisks(value: object, least: int = 1) -> bool:
    """Say whether a value is, or holds at any depth, asterisks alone.

    :param value: A value as JSON has it.
    :param least: Least number of asterisks. Default: 1.
    """
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each
        elif is_asterisks(each, least):
            return True
    return False
