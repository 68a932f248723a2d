"""Calls through one instance: the vendor's own resources, with the instance's token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_cloudelements.client.instances import InstancesApi
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsForbiddenError,
    CloudElementsInstanceDisabledError,
)

__all__ = ["InstanceClient"]


class InstanceClient:
    """A client bound to one instance.

    The client fetches the token when the first call needs it. ``on_token`` gets it then, for masking.

    :param instances: The account's instances.
    :param instance_id: The instance's id.
    :param token: Its token, if the caller holds it already.
    """

    def __init__(self, instances: InstancesApi, instance_id: int, token: str | None = None) -> None:
        self.instance_id = instance_id
        self._instances = instances
        self._token = token

    def __repr__(self) -> str:
        return f"InstanceClient(instance_id={self.instance_id})"

    @property
    def token(self) -> str:
        """The instance's token.

        :raises CloudElementsNotFoundError: There is no such instance.
        """
        if self._token is None:
            self._token = self._instances.token(self.instance_id)
        return self._token

    def request(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None
    ) -> Any:
        """Call one of the vendor's resources.

        :param method: HTTP verb.
        :param path: Path such as ``/calendars``; the platform ignores a hub before it (fact F321).
        :param params: Query, such as ``where`` or ``pageSize``.
        :param body: Sent as JSON.
        :return: The answer's JSON; ``None`` if it is empty.
        :raises CloudElementsInstanceDisabledError: The instance is disabled.
        :raises CloudElementsError: The class that fits the failure.
        """
        try:
            return self._instances.http.send(method, path, params=params, body=body, token=self.token).body
        except CloudElementsForbiddenError as error:
            self._explain(error)
            raise

    def get(self, path: str, **params: Any) -> Any:
        """Read a resource, with the keywords as the query."""
        return self.request("GET", path, params=params)

    def list(self, path: str, **params: Any) -> Iterator[Any]:
        """Yield the items of a resource's list, a page at a time, with the keywords as the query.

        The answer to a list without items may be 404. So a path that does not exist gives an empty list, too.
        """
        try:
            # The client sets no page size: the largest one differs between vendors.
            yield from self._instances.http.list_items(path, params=params, token=self.token, page_size=None)
        except CloudElementsForbiddenError as error:
            self._explain(error)
            raise

    def ping(self) -> Mapping[str, Any]:
        """Ask the vendor for a sign of life (``GET /ping``).

        :return: ``dateTime`` and ``endpoint`` (fact F327), as far as the answer holds them.
        """
        answer = self.get("/ping")
        return answer if isinstance(answer, Mapping) else {}

    def _explain(self, error: CloudElementsForbiddenError) -> None:
        """Raise a better error if the 403 comes from a disabled instance, not from the vendor (fact F45)."""
        try:
            instance = self._instances.get(self.instance_id)
        except CloudElementsError:
            return  # the caller gets the 403
        if instance.disabled:
            raise CloudElementsInstanceDisabledError(
                f"Instance {instance.id} ({instance.name!r}) is disabled: enable it and re-authenticate it. "
                "The platform itself disables one whose credentials the vendor no longer accepts.",
                status=error.status,
                request_id=error.request_id,
                method=error.method,
                path=error.path,
            ) from error
