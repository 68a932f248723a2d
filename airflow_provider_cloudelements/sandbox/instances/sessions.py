"""An instance's session at its vendor: refreshes, revocation, and the end by the platform.

The platform refreshes an OAuth2 instance's access token by itself every ``oauth.user.refresh_interval``
seconds (fact F132). When the refresh fails five times, ten seconds apart, the platform disables the
instance. A person must then enable and authenticate it again (fact F133). The sandbox tries the first
refresh as soon as the vendor refuses (unknown U122, choice C123), and sends no mail (choice C127). Basic
and custom elements have no token to refresh: the vendor refuses them, and nothing disables them.

There is no timer: every call first does all work that is due (:meth:`Sessions.catch_up`).
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Callable

from airflow_provider_cloudelements.sandbox.elements.catalogue import (
    REFRESH_INTERVAL,
    REFRESH_TOKEN,
    USER_TOKEN,
)
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.settings import Behaviour
from airflow_provider_cloudelements.sandbox.vendors.store import Vendor, new_secret

#: Why a vendor no longer accepts a credential that it once accepted; also keys of the vendors' texts.
REVOKED, EXPIRED = "revoked", "expired"

#: After this many failed refreshes in a row the platform disables the instance (fact F133).
MOST_FAILED_REFRESHES = 5

_DEFAULT_INTERVAL = 3600.0


class Sessions:
    """The sessions of all instances.

    :param vendor: accepts or refuses the instances' credentials.
    :param behaviour: returns the sandbox's current settings.
    """

    def __init__(self, vendor: Vendor, behaviour: Callable[[], Behaviour]) -> None:
        self._vendor = vendor
        self._behaviour = behaviour
        self._numbers = itertools.count()
        #: When to refresh the token of each instance. Outdated entries stay until their time.
        self._due: list[tuple[float, int, Instance]] = []
        #: Instances whose refreshes fail and that are not disabled yet, by id.
        self._failing: dict[int, Instance] = {}

    def clear(self) -> None:
        """Forget every session."""
        self._due.clear()
        self._failing.clear()

    def open(self, instance: Instance) -> None:
        """Note that the vendor has just given an instance a new credential (choice C122).

        :param instance: the instance.
        """
        instance.refreshed = time.monotonic()
        self.judge(instance)

    def problem(self, instance: Instance) -> str | None:
        """Return why the vendor refuses an instance's credential, or None.

        :param instance: the instance.
        """
        return self._vendor.problem(instance.element, instance.configuration, instance.ended)

    def judge(self, instance: Instance) -> None:
        """Let the vendor check an instance again, after a change to the instance or its vendor.

        :param instance: the instance; afterwards ``valid`` holds the vendor's verdict.
        """
        instance.valid = self.problem(instance) is None
        if instance.valid:
            self._failing.pop(instance.id, None)
            instance.failed_refreshes = 0
            instance.ended = {held: why for held, why in instance.ended.items() if why == REVOKED}
            self._schedule(instance)
        elif instance.element.authentication != "oauth2" or instance.disabled:
            self._failing.pop(instance.id, None)
        else:
            self._failing[instance.id] = instance
            self._fail(instance, time.monotonic())

    def revoke(self, instance: Instance) -> None:
        """Revoke an instance's credential for good, as a person does at the vendor.

        :param instance: the instance; the vendor accepts another credential of it, but never this one again.
        """
        instance.ended[instance.credential] = REVOKED
        self.judge(instance)

    def expire(self, instance: Instance) -> None:
        """End the session of an instance until it gets another credential.

        :param instance: the instance; once it had another credential, the vendor accepts this one again.
        """
        instance.ended[instance.credential] = EXPIRED
        self.judge(instance)

    def restore(self, instance: Instance) -> None:
        """Undo every revocation and expiry of an instance's credentials.

        :param instance: the instance.
        """
        instance.ended.clear()
        self.judge(instance)

    def enable(self, instance: Instance) -> None:
        """Enable an instance and count its failed refreshes from zero.

        :param instance: the instance.
        """
        instance.disabled = False
        instance.failed_refreshes = 0
        self.judge(instance)

    def disable(self, instance: Instance) -> None:
        """Disable an instance. The platform does not refresh its token meanwhile.

        :param instance: the instance.
        """
        instance.disabled = True
        self.judge(instance)

    def forget(self, instance: Instance) -> None:
        """Forget the session of a deleted instance.

        :param instance: the instance.
        """
        self._failing.pop(instance.id, None)
        instance.refresh_due = None

    def catch_up(self) -> None:
        """Do all work that became due since the last call."""
        now = time.monotonic()
        due: list[Instance] = []
        # Collect all due instances first: an interval of 0 makes an instance due again at once.
        while self._due and self._due[0][0] <= now:
            moment, _, instance = heapq.heappop(self._due)
            if instance.refresh_due == moment:
                due.append(instance)
        for instance in due:
            self._refresh(instance, now)
        for instance in list(self._failing.values()):
            self._fail(instance, now)

    def _schedule(self, instance: Instance) -> None:
        """Note when to refresh the token of an instance next."""
        moment = None
        if instance.element.authentication == "oauth2" and not instance.disabled:
            moment = instance.refreshed + _interval(instance)
            if moment != instance.refresh_due:
                heapq.heappush(self._due, (moment, next(self._numbers), instance))
        instance.refresh_due = moment

    def _refresh(self, instance: Instance, now: float) -> None:
        """Refresh a token that is due (choice C124). Without a refresh token the session expires."""
        instance.refresh_due = None
        if not instance.valid:
            return
        if instance.configuration.get(REFRESH_TOKEN):
            instance.configuration[USER_TOKEN] = new_secret()
            instance.refreshed = now
            self._schedule(instance)
        else:
            self.expire(instance)

    def _fail(self, instance: Instance, now: float) -> None:
        """Count the due refreshes of an instance as failed. The last one disables the instance."""
        pause = self._behaviour().failed_refresh_interval
        while instance.failed_refreshes < MOST_FAILED_REFRESHES:
            moment = instance.failed_at + pause if instance.failed_refreshes else now
            if moment > now:
                return
            instance.failed_refreshes += 1
            instance.failed_at = moment
        instance.disabled = True
        self._failing.pop(instance.id, None)


def _interval(instance: Instance) -> float:
    """Return the seconds between two refreshes (fact F132), the default for an invalid value (C126)."""
    try:
        seconds = float(instance.configuration.get(REFRESH_INTERVAL) or _DEFAULT_INTERVAL)
    except ValueError:
        return _DEFAULT_INTERVAL
    return seconds if math.isfinite(seconds) and seconds >= 0 else _DEFAULT_INTERVAL
