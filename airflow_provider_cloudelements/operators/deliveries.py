"""Operators for notifications whose receiver failed."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_cloudelements.client.deliveries import POLICIES
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator, require_choice
from airflow_provider_cloudelements.operators._parts.receiver_arguments import ReceiverArguments

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["CloudElementsReleaseDeliveriesOperator", "CloudElementsSetNotificationPolicyOperator"]


class CloudElementsReleaseDeliveriesOperator(ReceiverArguments, CloudElementsBaseOperator):
    """Release the notifications that the platform has queued for a receiver, and reactivate its subscription.

    Run it when a receiver works again. After the last failed retry, or with the policy ``queue`` after the
    first failure, the platform keeps notifications and sends none (fact F257). The receiver may get a
    notification a second time, and recognises it by its ``eventId``.

    Give exactly one of ``callback_url``, ``instance_id`` and ``instance_key``.

    :param callback_url: Address of the receiver, as the instances have it. Templated.
    :param instance_id: An instance that has it: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: Instead of ``instance_id``: as given to the create operator. Templated.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``queued`` (how many there were), ``left`` (how many of them are still queued afterwards: the
        platform may be at work on them, or the receiver fails again), ``newest`` (when the newest of them
        changed last, by the platform's clock; ``None`` if the platform gives no date) and ``released_at`` (by
        the worker's clock). The dates are ISO 8601.
    :raises CloudElementsValidationError: Arguments are missing, too many or malformed, or the instance has no
        callback URL.
    :raises CloudElementsError: Any other failure of a call.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id", *ReceiverArguments.receiver_fields)

    def perform(self, context: Context) -> dict[str, Any]:
        """Count the queued deliveries, release them, count again."""
        url = self.receiver(self.hook)
        deliveries = self.hook.get_conn().deliveries
        before = {_key(each): each.updated_date for each in deliveries.queued(url)}
        newest = max((each for each in before.values() if each is not None), default=None)
        # Also if nothing is queued, since the subscription may be inactive nevertheless.
        deliveries.release(url)
        released_at = pendulum.now("UTC")
        left = before.keys() & {_key(each) for each in deliveries.queued(url)} if before else set()
        self.log.info("%d deliveries were queued; %d of them still are.", len(before), len(left))
        return {
            "queued": len(before),
            "left": len(left),
            "newest": None if newest is None else newest.isoformat(),
            "released_at": released_at.isoformat(),
        }


class CloudElementsSetNotificationPolicyOperator(CloudElementsBaseOperator):
    """Set what the account does with notifications that their receiver does not accept.

    The setting holds for the whole account, and so for all its instances.

    :param policy: ``retry``: the platform sends them again a few times, in growing intervals, then
        deactivates the subscription and keeps further notifications. ``queue``: it keeps them until you
        release them.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``policy``, ``before`` (``None`` if the account did not report one) and ``changed``.
    :raises CloudElementsServerError: The account still shows another policy after the write.
    :raises CloudElementsError: Any other failure of a call.
    """

    def __init__(self, *, policy: str, cloudelements_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.policy = require_choice("policy", policy, POLICIES)

    def perform(self, context: Context) -> dict[str, Any]:
        """Write the policy if it differs."""
        deliveries = self.hook.get_conn().deliveries
        before = deliveries.policy()
        if before != self.policy:
            deliveries.set_policy(self.policy)
        self.log.info("Notifications that fail: %s (before: %s).", self.policy, before or "not reported")
        return {"policy": self.policy, "before": before, "changed": before != self.policy}


def _key(delivery: Any) -> tuple[Any, Any]:
    return delivery.notification_id, delivery.subscription_id
