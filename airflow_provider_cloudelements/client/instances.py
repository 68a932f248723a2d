"""The ``/instances`` part of the API: one method for each call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from airflow_provider_cloudelements.client.models import MASK, ConfigurationRow, Instance, configuration_text
from airflow_provider_cloudelements.client.parsing import instance_id_of, parse_id
from airflow_provider_cloudelements.client.tags import own_tags
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.exceptions import (
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsValidationError,
)


class InstancesApi:
    """Element instances of one account.

    :param http: Sends the calls.
    :param on_token: Told each element token at the moment it is handed out, so that it can be masked.
    """

    def __init__(self, http: HttpSession, on_token: Callable[[str], None] | None = None) -> None:
        self._http = http
        self._on_token = on_token

    @property
    def http(self) -> HttpSession:
        """What sends the calls."""
        return self._http

    def create(
        self,
        *,
        element: str,
        name: str,
        configuration: Mapping[str, Any] | None = None,
        provider_data: Mapping[str, Any] | None = None,
        tags: Iterable[str] | None = None,
        external_authentication: str | None = None,
        with_token: bool = True,
    ) -> Instance:
        """Make an instance: one ``POST /instances``, sent again only when it is proven that it never left.

        Two calls make two instances, and an answer can be lost after the instance exists: see ``ensure``.

        :param element: Key of the element.
        :param name: Name of the instance. The platform strips HTML from it (fact F171).
        :param configuration: Configuration keys and values; booleans and numbers come back as text.
        :param provider_data: What the vendor's login gave, such as ``{"code": ...}`` (fact F128).
        :param tags: Tags; without any the platform makes one of the name (fact F172).
        :param external_authentication: ``initial`` with a refresh token in the configuration (fact F131).
        :param with_token: Whether to keep the token and hand it out.
        :return: The instance.
        :raises CloudElementsError: Of the kind that fits. After anything but a 4xx or an unsent request the
            instance may exist.
        """
        body: dict[str, Any] = {"element": {"key": element}, "name": name}
        if provider_data:
            body["providerData"] = dict(provider_data)
        if configuration:
            body["configuration"] = _writable(configuration)
        if tags is not None:
            body["tags"] = list(tags)
        if external_authentication:
            body["externalAuthentication"] = external_authentication
        # Provisioning logs in at the vendor inside the call, so it gets the long time-out (fact F166).
        reply = self._http.send(
            "POST", "/instances", body=body, timeout=self._http.settings.create_timeout, repeatable=False
        )
        return self._hand_out(Instance.parse(reply.body, keep_token=with_token))

    def get(self, instance_id: int, *, with_token: bool = False) -> Instance:
        """Read one instance.

        :param instance_id: Its id.
        :param with_token: Whether to keep the token and hand it out.
        :raises CloudElementsNotFoundError: There is none.
        :raises CloudElementsServerError: The token was asked for and is not in the answer.
        """
        instance = self._read(instance_id, keep_token=with_token)
        return self._hand_out(_having_token(instance)) if with_token else instance

    def peek(self, instance_id: int) -> Instance:
        """Read one instance with its token, for calls made here and now.

        The token is handed out to nobody and so not masked, which would cost more than all the calls: never
        show it or pass it on.

        :param instance_id: Its id.
        :return: The instance; without a token where the answer held none.
        :raises CloudElementsNotFoundError: There is none.
        """
        return self._read(instance_id, keep_token=True)

    def _read(self, instance_id: int, *, keep_token: bool) -> Instance:
        return Instance.parse(self._http.send("GET", _path(instance_id)).body, keep_token=keep_token)

    def token(self, instance_id: int) -> str:
        """Fetch an instance's token and hand it out.

        :raises CloudElementsNotFoundError: There is no such instance.
        """
        token = self.get(instance_id, with_token=True).token
        if token is None:
            raise AssertionError("get(with_token=True) returns a token or raises")  # pragma: no cover
        return token

    def list(
        self,
        *,
        tags: Iterable[str] = (),
        search_text: str | None = None,
        element: str | None = None,
        with_tokens: bool = False,
    ) -> Iterator[Instance]:
        """Yield instances, a page at a time.

        :param tags: Only those with all of these tags. How the platform combines several is not known
            (unknown U161), so they are checked again here.
        :param search_text: Only those whose name matches, by the platform's own rule (fact F176).
        :param element: Only those of this element's key.
        :param with_tokens: Whether to keep their tokens, as :meth:`peek` does.
        """
        wanted = tuple(tags)
        if element is not None and not wanted and search_text is None:
            path, params = f"/elements/{quote(element, safe='')}/instances", {}
        else:
            path = "/instances"
            params = {"tags[]": list(wanted)} if wanted else {}
            if search_text is not None:
                params["searchText"] = search_text  # type: ignore[assignment]
        for body in self._http.list_items(path, params=params):
            instance = Instance.parse(body, keep_token=with_tokens)
            if set(wanted) <= set(instance.tags) and element in (None, instance.element_key):
                yield instance

    def update(
        self,
        instance_id: int,
        *,
        name: str | None = None,
        configuration: Mapping[str, Any] | None = None,
        provider_data: Mapping[str, Any] | None = None,
        tags: Iterable[str] | None = None,
        keep_own_tags: bool = True,
    ) -> Instance:
        """Change what is given and leave the rest (``PATCH /instances/{id}``).

        :param instance_id: Its id.
        :param name: New name.
        :param configuration: Keys to change; others stay (fact F182).
        :param provider_data: Re-authenticates with what a new login gave; id and token stay (F134). Such
            a call is never repeated, because a code works once.
        :param tags: The tags that it shall have. The platform replaces the whole list (fact F181).
        :param keep_own_tags: Whether this provider's own tags are read first and kept, unless given.
        :raises CloudElementsValidationError: A value is asterisks: a masked value read earlier, which would
            overwrite the secret.
        """
        body: dict[str, Any] = {}
        if name is not None:
            body["name"] = name
        if configuration:
            body["configuration"] = _writable(configuration)
        if provider_data:
            body["providerData"] = dict(provider_data)
        if tags is not None:
            body["tags"] = self._with_own_tags(instance_id, [*tags]) if keep_own_tags else list(tags)
        reply = self._http.send(
            "PATCH",
            _path(instance_id),
            body=body,
            timeout=self._http.settings.create_timeout,
            repeatable=not provider_data,
        )
        return Instance.parse(reply.body)

    def delete(self, instance_id: int) -> bool:
        """Delete an instance.

        :param instance_id: Its id.
        :return: ``True`` when it was there, ``False`` when there was none: a success as well, since an
            earlier answer may have been lost.
        """
        try:
            self._http.send("DELETE", _path(instance_id))
        except CloudElementsNotFoundError:
            return False
        return True

    def ping(self, instance_id: int, token: str | None = None) -> Mapping[str, Any]:
        """Ask an instance's vendor for a sign of life (``GET /ping``); the token is handed out to nobody.

        :param instance_id: Its id.
        :param token: Its token, where the caller has it; without one it costs a call more.
        :return: ``dateTime`` and ``endpoint`` (fact F327), as far as the answer holds them.
        :raises CloudElementsAuthError: The vendor does not accept the instance's credentials, or the platform
            ours (401).
        :raises CloudElementsForbiddenError: The instance is disabled, or the vendor forbids it (403).
        """
        token = token or _having_token(self.peek(instance_id)).token
        answer = self._http.send("GET", "/ping", token=token).body
        return answer if isinstance(answer, Mapping) else {}

    def enable(self, instance_id: int) -> None:
        """Let calls through the instance again."""
        self._http.send("PUT", f"{_path(instance_id)}/enabled")

    def disable(self, instance_id: int) -> None:
        """Refuse calls through the instance, with 403, until it is enabled."""
        self._http.send("DELETE", f"{_path(instance_id)}/enabled")

    def configuration(self, instance_id: int) -> tuple[ConfigurationRow, ...]:
        """Read the rows of an instance's configuration.

        :raises CloudElementsNotFoundError: There is no such instance.
        """
        path = f"{_path(instance_id)}/configuration"
        rows = self._http.send("GET", path).body
        if not isinstance(rows, list):
            raise CloudElementsServerError(f"GET {path}: the answer is not a JSON array.", path=path)
        return tuple(ConfigurationRow.parse(row) for row in rows)

    def update_configuration(self, instance_id: int, row_id: int, value: Any) -> ConfigurationRow:
        """Change one row of an instance's configuration.

        :param instance_id: The instance's id.
        :param row_id: Numeric id of the row, not its key (fact F189).
        :param value: Its new value, sent as text.
        """
        _writable({"propertyValue": value})
        reply = self._http.send(
            "PATCH",
            f"{_path(instance_id)}/configuration/{parse_id(row_id, 'configuration row')}",
            body={"propertyValue": configuration_text(value)},
            repeatable=True,
        )
        return ConfigurationRow.parse(reply.body)

    def _with_own_tags(self, instance_id: int, tags: Sequence[str]) -> Sequence[str]:
        """Add this provider's own tags of the instance; a kind that is given is left as given."""
        given = {tag.split(":", 1)[0] for tag in own_tags(tags)}
        kept = (tag for tag in own_tags(self.get(instance_id).tags) if tag.split(":", 1)[0] not in given)
        return [*dict.fromkeys([*tags, *kept])]

    def _hand_out(self, instance: Instance) -> Instance:
        if instance.token and self._on_token is not None:
            self._on_token(instance.token)
        return instance


def _path(instance_id: Any) -> str:
    return f"/instances/{instance_id_of(instance_id)}"


def _having_token(instance: Instance) -> Instance:
    if instance.token is None:
        path = _path(instance.id)
        raise CloudElementsServerError(
            f"GET {path}: the answer holds no token.", status=200, method="GET", path=path
        )
    return instance


def _writable(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse masked values: what the platform does with them is not known (unknown U162)."""
    masked = [key for key, value in configuration.items() if value == MASK]
    if masked:
        raise CloudElementsValidationError(
            f"The value of {', '.join(map(repr, masked))} is asterisks, as the platform shows a secret. "
            "Written back, it could take the secret's place."
        )
    return dict(configuration)
