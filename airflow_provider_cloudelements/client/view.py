"""The form in which operators, sensors and trigger events return an instance."""

from __future__ import annotations

from typing import Any

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.plain import plain_text
from airflow_provider_cloudelements.client.tags import user_tags


def returned(instance: Instance) -> dict[str, Any]:
    """Return an instance fit for XCom: without token and configuration.

    :return: ``id``, ``name``, ``element``, ``tags`` (without this provider's own), ``valid``, ``disabled``,
        ``events_enabled`` and ``created_date`` (ISO 8601, UTC; ``None`` if the platform gives none).
    """
    return {
        "id": instance.id,
        "name": plain_text(instance.name),
        "element": plain_text(instance.element_key),
        "tags": [plain_text(each) for each in user_tags(instance.tags)],
        "valid": instance.valid,
        "disabled": instance.disabled,
        "events_enabled": instance.events_enabled,
        "created_date": instance.created_date.to_iso8601_string() if instance.created_date else None,
    }
