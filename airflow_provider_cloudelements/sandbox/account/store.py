"""The sandbox's organization and account. Their fields are made up (choice C4)."""

from __future__ import annotations

from airflow_provider_cloudelements.sandbox.core.errors import ApiError

ACCOUNT = {"id": 31, "name": "Sandbox account", "externalId": "sandbox-account", "defaultAccount": True}
#: The account setting that decides about failed deliveries (fact F255), and its values.
POLICY = "notification.webhook.failure.policy"
RETRY, QUEUE = "retry", "queue"
POLICIES = (RETRY, QUEUE)
#: The user whose secrets the sandbox accepts, made up (choice C4).
USER = {"id": 77, "emailAddress": "sandbox@example.com", "firstName": "Sandy", "lastName": "Box"}
ORGANIZATION = {"id": 11, "name": "Sandbox organization", "active": True}


def check_account(number: int | None) -> None:
    """Refuse an account that is not the sandbox's (fact F45).

    :param number: an account's id, or None if the text is not an id.
    """
    if number != ACCOUNT["id"]:
        raise ApiError(403, "The account is not yours")
