"""The client of the Cloud Elements API: it sends requests and returns frozen dataclasses.

The only part of Airflow that it uses is the base class of exceptions.

Fact F1, unknown U1 and the like are numbers in ``docs/api-facts.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.elements import ElementsApi
from airflow_provider_cloudelements.client.instances import InstancesApi
from airflow_provider_cloudelements.client.models import Element, ElementMetadata, Instance
from airflow_provider_cloudelements.client.parsing import instance_id_of, parse_object
from airflow_provider_cloudelements.client.resources import InstanceClient
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.connections import ConnectionSettings

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.deliveries import DeliveriesApi
    from airflow_provider_cloudelements.client.events import EventsApi
    from airflow_provider_cloudelements.client.formulas import FormulasApi

__all__ = [
    "CloudElementsClient",
    "Element",
    "ElementMetadata",
    "Instance",
    "InstanceClient",
]


class CloudElementsClient:
    """A client of one Cloud Elements or SAP Open Connectors account.

    Several threads can use it. Each has its own pooled session. A copy or a pickle of it holds the settings,
    with their secrets, and opens connections of its own.

    :param settings: Host and secrets; from :meth:`ConnectionSettings.from_connection`, or made by hand.
    :param on_token: Function that gets every element token when the client hands it out.
    """

    def __init__(
        self, settings: ConnectionSettings, *, on_token: Callable[[str], None] | None = None
    ) -> None:
        self.settings = settings
        self.http = HttpSession(settings)
        self.instances = InstancesApi(self.http, on_token)
        self.elements = ElementsApi(self.http)

    # Loaded on first use: a DAG file that only makes instances does not pay for the models of events.
    @cached_property
    def events(self) -> EventsApi:
        """Events that the platform keeps for reading."""
        from airflow_provider_cloudelements.client.events import EventsApi

        return EventsApi(self.http)

    @cached_property
    def deliveries(self) -> DeliveriesApi:
        """Deliveries of notifications, and the policy for those that fail."""
        from airflow_provider_cloudelements.client.deliveries import DeliveriesApi

        return DeliveriesApi(self.http)

    @cached_property
    def formulas(self) -> FormulasApi:
        """Formulas, their instances and executions."""
        from airflow_provider_cloudelements.client.formulas import FormulasApi

        return FormulasApi(self.http)

    def __enter__(self) -> CloudElementsClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"CloudElementsClient({self.settings.base_url!r})"

    def close(self) -> None:
        """Close the pooled connections."""
        self.http.close()

    def instance(
        self, instance_id: int | str | Mapping[str, Any] | None = None, token: str | None = None
    ) -> InstanceClient:
        """
        Return a client bound to one instance.

        :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
            Needed only without a token.
        :param token: Its token. Without one, the client fetches it on first use.
        :raises CloudElementsValidationError: Neither is given, or the id is none.
        """
        number = None if instance_id is None and token is not None else instance_id_of(instance_id)
        return InstanceClient(self.instances, number, token)

    def organization(self) -> Mapping[str, Any]:
        """Read the organization (``GET /organizations/me``).

        The call needs only the two secrets (fact F12).

        :raises CloudElementsAuthError: The platform does not accept a secret.
        """
        return parse_object(self.http.send("GET", "/organizations/me").body, "organization")
