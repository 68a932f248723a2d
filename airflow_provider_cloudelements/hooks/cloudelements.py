"""Turn a connection id into a client. The hook hands out the client, and repeats none of its methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from airflow_provider_cloudelements.client import CloudElementsClient, InstanceClient
from airflow_provider_cloudelements.client.tags import named_text
from airflow_provider_cloudelements.client.wire.secrecy import secret_values
from airflow_provider_cloudelements.compat import (
    AirflowNotFoundException,
    aget_connection,
    amask_secrets,
    mask_secret,
    mask_token,
    unreadable,
)
from airflow_provider_cloudelements.connection_form import (
    CONN_TYPE,
    CONNECTION_BEHAVIOUR,
    CONNECTION_FIELDS,
    ELEMENT_BEHAVIOUR,
    ELEMENT_CONN_TYPE,
    ELEMENT_FIELDS,
    form_behaviour,
    form_widgets,
)
from airflow_provider_cloudelements.connections import (
    DEFAULT_CONN_ID,
    DEFAULT_ELEMENT_CONN_ID,
    ConnectionSettings,
    ElementSettings,
)
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsNotFoundError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.keys import is_asterisks

if TYPE_CHECKING:
    from airflow.sdk import Connection

__all__ = ["CloudElementsElementHook", "CloudElementsHook"]


class _CopiedHook(BaseHook):
    """A hook that can be copied and pickled after use."""

    conn_name_attr: str
    conn_type: str

    def _missing(self, conn_id: str) -> AirflowNotFoundException:
        """Return the error for a connection that does not exist, in words that say what to do."""
        if fault := unreadable(conn_id):
            return AirflowNotFoundException(fault)
        return AirflowNotFoundException(
            f"There is no connection {conn_id!r} (argument {self.conn_name_attr}): add one of type "
            f"{self.conn_type!r} under Admin, Connections, or as the variable "
            f"AIRFLOW_CONN_{conn_id.upper()} of the environment of every Airflow process."
        )

    def _connection(self, conn_id: str) -> Connection:
        """Read the connection.

        :raises AirflowNotFoundException: There is no such connection.
        """
        try:
            return self.get_connection(conn_id)
        except AirflowNotFoundException:
            raise self._missing(conn_id) from None

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle holds: no secrets and no connections. It reads them again."""
        left = ("settings", "_client", "_cached_logger")
        return {name: value for name, value in self.__dict__.items() if name not in left}


class CloudElementsHook(_CopiedHook):
    """Give access to a Cloud Elements or SAP Open Connectors account.

    :param cloudelements_conn_id: Connection of type ``cloudelements``.
    """

    conn_name_attr = "cloudelements_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONN_TYPE
    hook_name = "Cloud Elements / SAP Open Connectors"

    def __init__(self, cloudelements_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cloudelements_conn_id = cloudelements_conn_id

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's fields (Airflow 3.1; later ones read the provider's metadata)."""
        return form_widgets(CONNECTION_FIELDS)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the form uses the standard fields (Airflow 3.1)."""
        return form_behaviour(CONNECTION_BEHAVIOUR)

    @cached_property
    def settings(self) -> ConnectionSettings:
        """The connection, validated. Airflow masks its secrets from here on.

        :raises CloudElementsConnectionError: A field is missing or malformed, or the type is another one.
        :raises CloudElementsValidationError: The connection's id is no text.
        :raises AirflowNotFoundException: There is no such connection.
        """
        conn_id = named_text("cloudelements_conn_id", self.cloudelements_conn_id)
        settings = ConnectionSettings.from_connection(self._connection(conn_id))
        for secret in settings.secrets:
            mask_secret(secret)
        return settings

    async def aget_settings(self) -> ConnectionSettings:
        """Read the connection in a coroutine, as it is now. ``settings`` does not change.

        :raises CloudElementsConnectionError: A field is missing or malformed.
        :raises AirflowNotFoundException: There is no such connection.
        """
        try:
            connection = await aget_connection(self, self.cloudelements_conn_id)
        except AirflowNotFoundException:
            raise self._missing(self.cloudelements_conn_id) from None
        settings = ConnectionSettings.from_connection(connection)
        await amask_secrets(settings.secrets)
        return settings

    @cached_property
    def _client(self) -> CloudElementsClient:
        return CloudElementsClient(self.settings, on_token=mask_token)

    def get_conn(self) -> CloudElementsClient:
        """Return the account's client. Each hook makes it once.

        :raises CloudElementsConnectionError: A field of the connection is missing or malformed.
        :raises CloudElementsValidationError: The connection's id is no text.
        """
        return self._client

    def instance(
        self, instance_id: int | str | Mapping[str, Any] | None = None, token: str | None = None
    ) -> InstanceClient:
        """Return a client bound to one instance. It masks the token.

        :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
            Needed only without a token.
        :param token: Its token, if the task pulled it from XCom. Default: the client fetches it when it first
            needs it.
        :raises CloudElementsValidationError: The token consists of asterisks.
        """
        if token is not None:
            if is_asterisks(token):
                raise CloudElementsValidationError(
                    "token consists of asterisks, which Airflow shows in place of one. Leave it out, and "
                    "the client fetches it."
                )
            mask_token(token)
        return self.get_conn().instance(instance_id, token)

    def test_connection(self) -> tuple[bool, str]:
        """Read the organization, which needs only the host and the two secrets.

        :return: Whether it worked, and what to do if not. Never raises.
        """
        try:
            # Read the connection anew: the form may test another connection with the same hook.
            settings = ConnectionSettings.from_connection(self.get_connection(self.cloudelements_conn_id))
            for secret in settings.secrets:
                mask_secret(secret)
            return True, _reach(settings)
        except CloudElementsError as error:
            return False, str(error)
        except Exception as error:
            return False, f"The connection could not be tested ({type(error).__name__})."


class CloudElementsElementHook(_CopiedHook):
    """Register the connection type ``cloudelements_element``, and read such connections.

    :param element_conn_id: Connection of type ``cloudelements_element``.
    """

    conn_name_attr = "element_conn_id"
    default_conn_name = DEFAULT_ELEMENT_CONN_ID
    conn_type = ELEMENT_CONN_TYPE
    hook_name = "Cloud Elements: an element's credentials"

    def __init__(self, element_conn_id: str = DEFAULT_ELEMENT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.element_conn_id = element_conn_id

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's fields (Airflow 3.1; later ones read the provider's metadata)."""
        return form_widgets(ELEMENT_FIELDS)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the form uses the standard fields (Airflow 3.1)."""
        return form_behaviour(ELEMENT_BEHAVIOUR)

    def get_conn(self) -> ElementSettings:
        """Return the connection's settings, validated. Airflow masks its secrets from here on.

        :raises CloudElementsConnectionError: A field is malformed.
        :raises CloudElementsValidationError: The connection's id is no text.
        """
        conn_id = named_text("element_conn_id", self.element_conn_id)
        settings = ElementSettings.from_connection(self._connection(conn_id))
        for secret in secret_values(settings.configuration, configuration=True):
            mask_secret(secret)
        return settings

    def test_connection(self) -> tuple[bool, str]:
        """Check the fields, then ask the platform of ``cloudelements_default`` whether it has the element.

        Asking the vendor itself would require an instance.

        :return: Whether it worked, and what to do if not. Never raises.
        """
        try:
            element = self.get_conn()
        except CloudElementsError as error:
            return False, str(error)
        except Exception as error:
            return False, f"The connection could not be tested ({type(error).__name__})."
        fields = "The fields are well-formed."
        try:
            settings = CloudElementsHook().settings
        except CloudElementsError as error:
            return False, f"{fields} The platform could not be asked: {error}"
        except Exception:
            return True, (
                f"{fields} Nothing more was checked: there is no connection {DEFAULT_CONN_ID!r} here, so no "
                "platform could be asked for the element."
            )
        try:
            reached = _reach(settings)
            if element.element is None:
                return True, f"{fields} {reached}"
            with _hasty(settings) as client:
                return _has_element(client, element.element, f"{fields} {reached}")
        except CloudElementsError as error:
            return False, f"{fields} But connection {settings.conn_id!r} failed: {error}"
        except Exception as error:
            return False, f"{fields} The platform could not be asked ({type(error).__name__})."


def _hasty(settings: ConnectionSettings) -> CloudElementsClient:
    # A person waits for the answer: no repetition, and no time-out longer than that for connecting.
    return CloudElementsClient(
        replace(settings, max_retries=0, request_timeout=min(settings.request_timeout, 15.0))
    )


def _reach(settings: ConnectionSettings) -> str:
    with _hasty(settings) as client:
        client.organization()
    return f"{settings.base_url} accepts the secrets."


def _has_element(client: CloudElementsClient, key: str, so_far: str) -> tuple[bool, str]:
    try:
        return True, f"{so_far} It has the element {client.elements.get(key).key!r}."
    except CloudElementsNotFoundError:
        return False, f"{so_far} But it has no element {key!r}."
