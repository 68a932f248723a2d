"""What operators, sensors and trigger events tell of an instance."""

from __future__ import annotations

from typing import Any

from airflow_provider_cloudelements.client.identity import user_tags
from airflow_provider_cloudelements.client.models import Instance


def returned(instance: Instance) -> dict[str, Any]:
    """Return an instance fit for XCom: without token and configuration.

    :return: ``id``, ``name``, ``element``, ``tags`` (without this provider's own), ``valid``, ``disabled``,
        ``events_enabled`` and ``created_date`` (ISO 8601, UTC; ``None`` where the platform tells none).
    """
    return {
        "id": instance.id,
        "name": instance.name,
        "element": instance.element_key,
        "tags": list(user_tags(instance.tags)),
        "valid": instance.valid,
        "disabled": instance.disabled,
        "events_enabled": instance.events_enabled,
        "created_date": instance.created_date.to_iso8601_string() if instance.created_date else None,
    }
