"""What became of notifications: queued deliveries, and what the account does with those that fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.http import HttpSession
from airflow_provider_cloudelements.client.notifications import id_text
from airflow_provider_cloudelements.client.parsing import parse_date, parse_object, parse_text
from airflow_provider_cloudelements.exceptions import (
    CloudElementsServerError,
    CloudElementsValidationError,
)

#: What the account does with a delivery that fails: send it again a few times, or keep it (dossier 6.4).
POLICIES = ("retry", "queue")
#: Key of the account's setting (dossier 6.4: CH).
POLICY_SETTING = "notification.webhook.failure.policy"

_DELIVERIES = "/notifications/subscriptions/deliveries"
_SETTINGS = "/accounts/settings"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to bring one notification to one subscriber (dossier 6.5: CH).

    :param notification_id: Id of the notification.
    :param subscription_id: Id of the subscription.
    :param status: ``created``, ``delivered``, ``notified``, ``retry``, ``queued``, or a word that is not
        documented; in small letters.
    :param created_date: When it was made, in UTC.
    :param updated_date: When its status last changed, in UTC.
    """

    notification_id: str | None
    subscription_id: str | None
    status: str
    created_date: pendulum.DateTime | None = None
    updated_date: pendulum.DateTime | None = None

    @classmethod
    def parse(cls, body: Any) -> Delivery:
        """Read a delivery.

        :raises CloudElementsServerError: It is none.
        """
        data = parse_object(body, "delivery")
        return cls(
            notification_id=id_text(data.get("notificationId")),
            subscription_id=id_text(data.get("subscriptionId")),
            status=(parse_text(data.get("status")) or "").strip().lower(),
            created_date=parse_date(data.get("createdDate")),
            updated_date=parse_date(data.get("updatedDate")),
        )


class DeliveriesApi:
    """Deliveries of one account, and its policy for those that fail.

    :param http: Sends the calls.
    """

    def __init__(self, http: HttpSession) -> None:
        self._http = http

    def queued(self, callback_url: str) -> Iterator[Delivery]:
        """Yield the deliveries that wait in the queue of a callback URL.

        :param callback_url: The URL, as the instances have it.
        :raises CloudElementsValidationError: It holds what the platform's query language cannot.
        """
        query = {"where": _queued_for(callback_url)}
        for body in self._http.list_items(_DELIVERIES, params=query):
            delivery = Delivery.parse(body)
            # How well the platform heeds the condition is not known, so it is checked once more.
            if delivery.status == "queued":
                yield delivery

    def release(self, callback_url: str) -> None:
        """Send what is queued for a callback URL again; reactivate its subscription (dossier 6.5: CH, DP).

        :param callback_url: The URL, as the instances have it.
        :raises CloudElementsValidationError: It holds what the platform's query language cannot.
        """
        self._http.send("PUT", _DELIVERIES, params={"where": _queued_for(callback_url)})

    def policy(self) -> str | None:
        """Return what the account does with deliveries that fail; ``None`` where it does not tell."""
        return _policy_in(self._http.send("GET", _SETTINGS).body)

    def set_policy(self, policy: str) -> None:
        """Say what the account shall do with deliveries that fail.

        :param policy: ``retry`` or ``queue``.
        :raises CloudElementsValidationError: It is another word.
        :raises CloudElementsServerError: Reading back shows another.
        """
        if policy not in POLICIES:
            raise CloudElementsValidationError(f"policy must be one of {', '.join(map(repr, POLICIES))}.")
        self._http.send("PATCH", _SETTINGS, body={POLICY_SETTING: policy}, repeatable=True)
        if (shown := self.policy()) != policy:
            raise CloudElementsServerError(
                f"The platform accepted the policy {policy!r}, but reading back shows {shown!r}."
            )


def _queued_for(callback_url: str) -> str:
    # How a quote would be written is not documented (dossier 7.1: values stand in single quotes).
    if not callback_url or "'" in callback_url or not callback_url.isprintable():
        raise CloudElementsValidationError(
            "callback_url must be the address of a receiver, without single quotes and control characters."
        )
    return f"channel='webhook' and status='queued' and config.url='{callback_url}'"


def _policy_in(settings: Any) -> str | None:
    value = settings.get(POLICY_SETTING) if isinstance(settings, Mapping) else None
    return value.strip().lower() if isinstance(value, str) else None
