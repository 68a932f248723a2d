"""A watcher's arguments come back from Airflow's own storage as they were, on every line of Airflow."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.assets import cloudelements_event_asset

pytestmark = pytest.mark.airflow


def stored_and_read(trigger):
    """Return a trigger's arguments as Airflow's triggerer gets them of an asset's watcher."""
    from airflow.models.trigger import Trigger

    try:
        from airflow.serialization.decoders import smart_decode_trigger_kwargs
        from airflow.serialization.encoders import encode_trigger
    except ImportError:  # Airflow 3.1
        from airflow.serialization.serialized_objects import _encode_trigger as encode_trigger
        from airflow.serialization.serialized_objects import smart_decode_trigger_kwargs
    encoded = encode_trigger(trigger)
    kept = Trigger._decrypt_kwargs(Trigger(encoded["classpath"], encoded["kwargs"]).encrypted_kwargs)
    return {name: smart_decode_trigger_kwargs(value) for name, value in kept.items()}


def test_conditions_are_read_back(airflow_database):
    asset = cloudelements_event_asset(
        "orders", tag="shop", object_types=["orders"], where={"object_id": "7", "raw.x": [1, None]}
    )
    (watcher,) = asset.watchers
    arguments = stored_and_read(watcher.trigger)
    assert type(watcher.trigger)(**arguments).query == watcher.trigger.query
