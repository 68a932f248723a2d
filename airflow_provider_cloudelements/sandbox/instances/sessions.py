"""What an instance holds at its vendor in the course of time: refreshed, revoked, given up by the platform.

The platform refreshes an OAuth2 instance's access token by itself every ``oauth.user.refresh_interval``
seconds (fact F132). When that fails five times, ten seconds apart, it disables the instance, which must
then be enabled and authenticated again (fact F133). It tries as soon as the vendor refuses (unknown U122,
choice C123), and sends no mail (choice C127). Basic and custom elements have no token to refresh: the
vendor refuses them, and nothing disables them.

There is no timer: whoever looks has what is due done first (:meth:`Sessions.catch_up`).
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

#: What became of a credential that a vendor took once; also the keys of the vendors' texts.
REVOKED, EXPIRED = "revoked", "expired"

#: So many refreshes in a row fail before the platform disables the instance (fact F133).
MOST_FAILED_REFRESHES = 5

_DEFAULT_INTERVAL = 3600.0


class Sessions:
    """The sessions of all instances.

    :param vendor: takes what they hold, or refuses it.
    :param behaviour: the sandbox's settings as they are now.
    """

    def __init__(self, vendor: Vendor, behaviour: Callable[[], Behaviour]) -> None:
        self._vendor = vendor
        self._behaviour = behaviour
        self._numbers = itertools.count()
        #: When which instance's token is to be refreshed. Entries that no longer hold stay until their time.
        self._due: list[tuple[float, int, Instance]] = []
        #: Instances by id whose refreshes fail, and that are not disabled yet.
        self._failing: dict[int, Instance] = {}

    def clear(self) -> None:
        """Forget every session."""
        self._due.clear()
        self._failing.clear()

    def open(self, instance: Instance) -> None:
        """Note that an instance has just been given something new by its vendor (choice C122).

        :param instance: the instance.
        """
        instance.refreshed = time.monotonic()
        self.judge(instance)

    def problem(self, instance: Instance) -> str | None:
        """Return why the vendor refuses what an instance holds, or None.

        :param instance: the instance.
        """
        return self._vendor.problem(instance.element, instance.configuration, instance.ended)

    def judge(self, instance: Instance) -> None:
        """Have the vendor look again, after anything about an instance or its vendor changed.

        :param instance: the instance; ``valid`` says afterwards what the vendor thinks.
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
        """End what an instance holds at its vendor for good, as a person does there.

        :param instance: the instance; the vendor takes something else from it, but never this again.
        """
        instance.ended[instance.credential] = REVOKED
        self.judge(instance)

    def expire(self, instance: Instance) -> None:
        """End the session of an instance, until it is given something else.

        :param instance: the instance; after something else the vendor takes this again.
        """
        instance.ended[instance.credential] = EXPIRED
        self.judge(instance)

    def restore(self, instance: Instance) -> None:
        """Take back every end of a session.

        :param instance: the instance.
        """
        instance.ended.clear()
        self.judge(instance)

    def enable(self, instance: Instance) -> None:
        """Switch an instance on; failed refreshes are counted from the beginning.

        :param instance: the instance.
        """
        instance.disabled = False
        instance.failed_refreshes = 0
        self.judge(instance)

    def disable(self, instance: Instance) -> None:
        """Switch an instance off; nothing of it is refreshed meanwhile.

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
        """Do what became due since somebody looked last."""
        now = time.monotonic()
        due: list[Instance] = []
        # All of it first: an interval of 0 makes an instance due again at once.
        while self._due and self._due[0][0] <= now:
            moment, _, instance = heapq.heappop(self._due)
            if instance.refresh_due == moment:
                due.append(instance)
        for instance in due:
            self._refresh(instance, now)
        for instance in list(self._failing.values()):
            self._fail(instance, now)

    def _schedule(self, instance: Instance) -> None:
        """Note when the token of an instance is to be refreshed next."""
        moment = None
        if instance.element.authentication == "oauth2" and not instance.disabled:
            moment = instance.refreshed + _interval(instance)
            if moment != instance.refresh_due:
                heapq.heappush(self._due, (moment, next(self._numbers), instance))
        instance.refresh_due = moment

    def _refresh(self, instance: Instance, now: float) -> None:
        """Refresh a token whose time has come (choice C124); without a refresh token it just runs out."""
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
        """Let the refreshes of an instance fail that were due; the last one disables it."""
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
    """Return the seconds between two refreshes (fact F132); what is no number is the default (C126)."""
    try:
        seconds = float(instance.configuration.get(REFRESH_INTERVAL) or _DEFAULT_INTERVAL)
    except ValueError:
        return _DEFAULT_INTERVAL
    return seconds if math.isfinite(seconds) and seconds >= 0 else _DEFAULT_INTERVAL
