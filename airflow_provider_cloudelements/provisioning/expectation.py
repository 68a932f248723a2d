"""What the instances of one configuration show, worked out once for thousands of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_cloudelements.client.models import Instance, configuration_text
from airflow_provider_cloudelements.client.parsing import parse_bool
from airflow_provider_cloudelements.client.wire.secrecy import is_secret_key
from airflow_provider_cloudelements.keys import EVENT_CALLBACK_URL, EVENTS_ENABLED
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints


class Expectation:
    """What an instance shows if it certainly has a configuration.

    :class:`~.difference.Difference` decides about all other instances, and says what differs.

    :param configuration: The whole configuration.
    """

    __slots__ = ("_credentials", "_events", "_plain", "_prepared", "_url")

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        plain = {key: value for key, value in configuration.items() if not is_secret_key(key)}
        self._credentials = {key: value for key, value in configuration.items() if key not in plain}
        events = plain.pop(EVENTS_ENABLED, None)
        self._events = None if events is None else parse_bool(configuration_text(events))
        self._url = configuration_text(plain.pop(EVENT_CALLBACK_URL, None))
        self._prepared: list[tuple[str, str]] | None = None
        self._plain = [(key, configuration_text(value)) for key, value in plain.items()]

    def is_shown_by(self, instance: Instance, fingerprints: Fingerprints, marker: str) -> bool:
        """Return whether an instance shows the configuration, with a fingerprint of exactly its credentials.

        :param instance: As it is.
        :param fingerprints: Of the connection; the same in each call.
        :param marker: The marker tag of the instance's key.
        """
        if self._events not in (None, instance.events_enabled):
            return False
        if self._url not in (None, instance.event_callback_url):
            return False
        shown = instance.configuration
        for key, text in self._plain:
            if shown.get(key) != text:
                return False
        if not self._credentials:
            return True
        for key in self._credentials:
            # Older samples show secrets in clear (fact F169): then the value itself decides.
            if (current := shown.get(key)) and current.strip("*"):
                return False
        if self._prepared is None:
            self._prepared = fingerprints.prepared(self._credentials)
        return fingerprints.shown_by(instance.tags, marker, self._prepared)
