"""An instance and its configuration rows as the API shows them."""

from __future__ import annotations

from typing import Any

from airflow_provider_cloudelements.sandbox.account.store import USER
from airflow_provider_cloudelements.sandbox.elements.catalogue import CALLBACK_URL, Key
from airflow_provider_cloudelements.sandbox.instances.provisioning import masked_keys
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.settings import MASK, Behaviour


def instance_view(instance: Instance, behaviour: Behaviour, *, hydrate: bool = True) -> dict[str, Any]:
    """Return the instance object (fact F167).

    :param instance: the instance.
    :param behaviour: the settings, which may name further keys to mask.
    :param hydrate: False leaves configuration and element details out (unknown U167, choice C166). The token
        is there either way (fact F177).
    """
    configuration = instance.configuration
    view: dict[str, Any] = {
        "id": instance.id,
        "name": instance.name,
        "createdDate": instance.created,
        "token": instance.token,
        "element": instance.element.view if hydrate else instance.element.abridged,
        "elementId": instance.element.id,
        "tags": instance.tags,
        "provisionInteractions": [],
        "valid": instance.valid,
        "disabled": instance.disabled,
        "maxCacheSize": 0,
        "cacheTimeToLive": 0,
        "eventsEnabled": instance.events_enabled,
        "traceLoggingEnabled": instance.trace_logging,
        "cachingEnabled": False,
        "externalAuthentication": instance.external,
        "user": USER,
    }
    if configuration.get(CALLBACK_URL):
        view["eventsNotificationCallbackUrl"] = configuration[CALLBACK_URL]
    if instance.provider_data is not None:
        view["providerData"] = instance.provider_data
    if hydrate:
        masked = masked_keys(instance.element, behaviour)
        view["configuration"] = {
            key: MASK if value and key in masked else value for key, value in configuration.items()
        }
    return view


def row_view(instance: Instance, key: str, row_id: int, behaviour: Behaviour) -> dict[str, Any]:
    """Return one configuration row of an instance (fact F189).

    :param instance: the instance.
    :param key: the row's key.
    :param row_id: the row's numeric id.
    :param behaviour: the settings, which may name further keys to mask.
    """
    about = instance.element.keys.get(key, Key(key, key))
    value = instance.configuration.get(key)
    masked = bool(value) and key in masked_keys(instance.element, behaviour)
    return {
        "id": row_id,
        "name": about.name,
        "key": key,
        "propertyValue": MASK if masked else value,
        "type": about.type,
        "required": about.required,
        "active": True,
        "description": about.name,
        "hideFromConsole": False,
    }
