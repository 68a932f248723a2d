"""What the sandbox knows of its organization and account. Their fields are the sandbox's own."""

from __future__ import annotations

from airflow_provider_cloudelements.sandbox.core.errors import ApiError

ACCOUNT = {"id": 31, "name": "Sandbox account", "externalId": "sandbox-account", "defaultAccount": True}
#: The account setting that says what becomes of a failed delivery (fact F255), and its values.
POLICY = "notification.webhook.failure.policy"
RETRY, QUEUE = "retry", "queue"
POLICIES = (RETRY, QUEUE)
#: The person whose secrets the sandbox takes, made up (choice C4).
USER = {"id": 77, "emailAddress": "sandbox@example.com", "firstName": "Sandy", "lastName": "Box"}
ORGANIZATION = {"id": 11, "name": "Sandbox organization", "active": True}


def check_account(number: int | None) -> None:
    """Refuse another's account (CH:events/analytics.js).

    :param number: an account's id, or None for what is none.
    """
    if number != ACCOUNT["id"]:
        raise ApiError(403, "The account is not yours")
