"""Loopback addresses: the sandbox listens only on these, and delivers only to these."""

from __future__ import annotations

import contextlib
import ipaddress


def loopback_address(host: str) -> str:
    """Return the loopback address of a host. It knows only the name ``localhost``, and looks up none.

    :param host: an address or ``localhost``.
    :raises ValueError: for anything else, since the sandbox has public secrets and takes control calls
        without any.
    """
    if host.lower() == "localhost":
        return "127.0.0.1"
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host.strip("[]"))
        if address.is_loopback:
            return str(address)
    raise ValueError(
        f"{host!r} is not a loopback address: the sandbox listens on 127.0.0.1, ::1 or localhost only"
    )
