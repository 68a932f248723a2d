"""Where a callback URL leads: to a receiver on this machine, back into the platform, or outside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit

from airflow_provider_cloudelements.sandbox.core.loopback import loopback_address
from airflow_provider_cloudelements.sandbox.elements.catalogue import find
from airflow_provider_cloudelements.sandbox.settings import API_PREFIX

_PORTS = {"http": 80, "https": 443}
_INBOUND = f"{API_PREFIX}/events/"
#: The caches keep the results of this many callbacks, because each event needs them again.
_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Destination:
    """A receiver on the loopback interface.

    :param address: the loopback address to connect to.
    :param port: the TCP port.
    :param secure: whether it speaks TLS.
    :param host: value of the Host header, and the name in its certificate.
    :param target: path and query.
    """

    address: str
    port: int
    secure: bool
    host: str
    target: str

    @property
    def host_header(self) -> str:
        """Value of the Host header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{name}:{self.port}"


@lru_cache(maxsize=_KEPT)
def is_loop(url: str) -> bool:
    """Return whether a URL is the platform's own /events/{key}, which has no receiver (fact F216).

    The host does not matter: the sandbox stands for every platform.

    :param url: the callback.
    """
    try:
        path = urlsplit(url).path
    except ValueError:
        return False
    key = path.removeprefix(_INBOUND).strip("/").partition("/")[0]
    return path.startswith(_INBOUND) and find(key) is not None


@lru_cache(maxsize=_KEPT)
def destination(url: str) -> Destination | None:
    """Return the receiver of a callback, or None when the callback is not on the loopback interface.

    The sandbox looks up no name, so that nothing leaves the machine.

    :param url: the callback.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        address = loopback_address(host)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    if port is None or parts.scheme not in _PORTS:
        return None
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    target = f"{path}?{query}" if query else path
    return Destination(address, port, parts.scheme == "https", host, target)


def origin(url: str) -> str:
    """Return scheme, host and port of a callback for people to read. Path and query may hold a secret.

    :param url: the callback.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or ''}{port}"
    except ValueError:
        return "?"
