"""Which addresses belong to this machine alone: the sandbox listens there, and delivers nowhere else."""

from __future__ import annotations

import contextlib
import ipaddress


def loopback_address(host: str) -> str:
    """Return the loopback address that a host names. No name but ``localhost`` is known, and none looked up.

    :param host: an address or ``localhost``.
    :raises ValueError: for anything else: the sandbox has public secrets and takes control calls without any.
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
