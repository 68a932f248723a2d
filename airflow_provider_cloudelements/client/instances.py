"""The ``/instances`` part of the API: one method for each call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from airflow_provider_cloudelements.client.arguments import dictionary, path_segment, text, texts
from airflow_provider_cloudelements.client.models import Instance, parse_tags
from airflow_provider_cloudelements.client.parsing import instance_id_of
from airflow_provider_cloudelements.client.tags import named_text, own_tags
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.client.wire.listing import readable
from airflow_provider_cloudelements.client.wire.secrecy import asterisk_keys
from airflow_provider_cloudelements.exceptions import (
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsValidationError,
)

__all__ = ["InstancesApi"]


class InstancesApi:
    """Element instances of one account.

    :param http: Sends the calls.
    :param on_token: Function that gets each element token when this class hands it out, in order to mask it.
    """

    def __init__(self, http: HttpSession, on_token: Callable[[str], None] | None = None) -> None:
        self._http = http
        self._on_token = on_token

    @property
    def http(self) -> HttpSession:
        """The session that sends the calls."""
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
        """Make an instance with one ``POST /instances``.

        The client repeats the call only if it provably never left. Two calls make two instances, and an
        answer can be lost after the instance exists: see ``ensure``.

        :param element: Key of the element.
        :param name: Name of the instance. The platform strips HTML from it (fact F171).
        :param configuration: Configuration keys and values; booleans and numbers come back as text.
        :param provider_data: Result of the vendor's login, such as ``{"code": ...}`` (fact F128).
        :param tags: Tags. Without any, the platform makes one from the name (fact F172).
        :param external_authentication: ``initial`` with a refresh token in the configuration (fact F131).
        :param with_token: Whether to keep the token and hand it out.
        :return: The instance.
        :raises CloudElementsError: The class that fits the failure. After any failure but a 4xx or an unsent
            request, the instance may exist.
        """
        body: dict[str, Any] = {
            "element": {"key": text("element", element).strip()},
            "name": text("name", name),
        }
        body |= _parts(configuration, provider_data, tags)
        if external_authentication:
            body["externalAuthentication"] = text("external_authentication", external_authentication)
        # Provisioning logs in at the vendor inside the call, so it gets the long time-out (fact F166).
        reply = self._http.send(
            "POST", "/instances", body=body, timeout=self._http.settings.create_timeout, repeatable=False
        )
        return self._hand_out(Instance.parse(reply.body, keep_token=with_token))

    def get(self, instance_id: int, *, with_token: bool = False) -> Instance:
        """Read one instance.

        :param instance_id: Its id.
        :param with_token: Whether to keep the token and hand it out.
        :raises CloudElementsNotFoundError: There is no such instance.
        :raises CloudElementsServerError: ``with_token`` is set, and the answer holds no token.
        """
        instance = self._read(instance_id, keep_token=with_token)
        return self._hand_out(_having_token(instance)) if with_token else instance

    def peek(self, instance_id: int) -> Instance:
        """Read one instance with its token, for calls that the caller makes at once.

        ``on_token`` does not get this token, so nothing masks it: masking would cost more than all the calls.
        Never show the token or pass it on.

        :param instance_id: Its id.
        :return: The instance; without a token if the answer held none.
        :raises CloudElementsNotFoundError: There is no such instance.
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
        element: str | None = None,
        with_tokens: bool = False,
        left_out: Callable[[Any], object] | None = None,
    ) -> Iterator[Instance]:
        """Yield instances, a page at a time.

        :param tags: Only instances with all of these tags. How the platform combines several is not known
            (unknown U161), so the client checks them again.
        :param element: Only instances of the element with this key.
        :param with_tokens: Whether to keep their tokens, as :meth:`peek` does.
        :param left_out: Function that gets each row that cannot be read and may have the tags.
        :raises CloudElementsValidationError: A tag or the element names nothing.
        :raises CloudElementsServerError: The list broke off; or no instance has the tags, and a row that may
            have them cannot be read, so that it is not certain that there is none.
        """
        wanted = tuple(named_text("tags", each) for each in texts("tags", tags))
        key = None if element is None else named_text("element", element).strip()
        of_element = "" if key is None else path_segment("element", key)
        if of_element and not wanted:
            path, params = f"/elements/{of_element}/instances", {}
        else:
            path = "/instances"
            params = {"tags[]": list(wanted)} if wanted else {}
        found, doubtful = False, 0

        def doubt(row: Any) -> None:
            nonlocal doubtful
            if _may_have(row, wanted):
                doubtful += 1
                if left_out is not None:
                    left_out(row)

        rows = self._http.list_items(path, params=params)
        parse = partial(_row, of_tags=bool(wanted), keep_token=with_tokens)
        for instance in readable(rows, parse, "instances", doubt):
            if set(wanted) <= set(instance.tags) and key in (None, instance.element_key):
                found = True
                yield instance
        if wanted and doubtful and not found:
            raise CloudElementsServerError(
                f"GET {path}: {doubtful} rows of the list cannot be read, and the instance looked for may be "
                "among them.",
                method="GET",
                path=path,
            )

    def pages(self) -> Iterator[Sequence[Instance]]:
        """Yield all instances of the account, a page at a time, without their tokens.

        This method decodes only what comparisons need, many times as fast as :meth:`list` does.

        :raises CloudElementsServerError: The list broke off; or a row cannot be read, and may be one of this
            provider's, so that the list does not show what exists.
        """
        from airflow_provider_cloudelements.client.instance_rows import parse_row, read_page

        doubtful = 0

        def left_out(row: Any) -> None:
            nonlocal doubtful
            doubtful += _may_be_ours(row)

        for page in self._http.list_pages("/instances", read=read_page):
            yield tuple(readable(page, parse_row, "instances", left_out))
            if doubtful:
                raise CloudElementsServerError(
                    "GET /instances: a row of the list cannot be read, and it may be an instance that this "
                    "provider made. Such a list does not show what exists.",
                    method="GET",
                    path="/instances",
                )
            del page  # the page is free before the client reads the next one

    def update(
        self,
        instance_id: int,
        *,
        name: str | None = None,
        configuration: Mapping[str, Any] | None = None,
        provider_data: Mapping[str, Any] | None = None,
        tags: Iterable[str] | None = None,
    ) -> Instance:
        """Change the given parts of an instance and leave the rest (``PATCH /instances/{id}``).

        :param instance_id: Its id.
        :param name: New name.
        :param configuration: Keys to change; others stay (fact F182).
        :param provider_data: Result of a new login, to re-authenticate; id and token stay (F134). The client
            never repeats such a call, because a code works once.
        :param tags: All tags that it must have, including this provider's own: the platform replaces the
            whole list (fact F181). ``provisioning.update`` keeps this provider's own tags.
        :raises CloudElementsValidationError: A value is asterisks. This is a masked value from an earlier
            read, and would overwrite the secret.
        """
        body: dict[str, Any] = {}
        if name is not None:
            body["name"] = text("name", name)
        body |= _parts(configuration, provider_data, tags)
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
        :return: ``True`` if it was there, ``False`` if there was none. That is a success as well, since the
            answer of an earlier try may have been lost.
        """
        try:
            self._http.send("DELETE", _path(instance_id))
        except CloudElementsNotFoundError:
            return False
        return True

    def ping(self, instance_id: int, token: str | None = None) -> Mapping[str, Any]:
        """Ask an instance's vendor for a sign of life (``GET /ping``).

        ``on_token`` does not get the token.

        :param instance_id: Its id.
        :param token: Its token, if the caller has it. Without one, the method makes one more call.
        :return: ``dateTime`` and ``endpoint`` (fact F327), as far as the answer holds them.
        :raises CloudElementsAuthError: The vendor does not accept the instance's credentials, or the platform
            does not accept ours (401).
        :raises CloudElementsForbiddenError: The instance is disabled, or the vendor forbids it (403).
        """
        token = token or _having_token(self.peek(instance_id)).token
        answer = self._http.send("GET", "/ping", token=token).body
        return answer if isinstance(answer, Mapping) else {}

    def enable(self, instance_id: int) -> None:
        """Enable the instance, so that the platform accepts calls through it again."""
        self._http.send("PUT", f"{_path(instance_id)}/enabled")

    def disable(self, instance_id: int) -> None:
        """Disable the instance: the platform answers calls through it with 403 until it is enabled."""
        self._http.send("DELETE", f"{_path(instance_id)}/enabled")

    def hand_out(self, instance: Instance) -> Instance:
        """Hand out the token of an instance that a list or :meth:`peek` returned: ``on_token`` gets it.

        :param instance: The instance, with its token.
        :return: The same instance.
        :raises CloudElementsServerError: It has no token.
        """
        return self._hand_out(_having_token(instance))

    def _hand_out(self, instance: Instance) -> Instance:
        if instance.token and self._on_token is not None:
            self._on_token(instance.token)
        return instance


def _path(instance_id: Any) -> str:
    return f"/instances/{instance_id_of(instance_id)}"


def _row(row: Any, *, of_tags: bool, keep_token: bool) -> Instance:
    """Parse a row of the list; if the list is one by tags, refuse a row whose tags are malformed."""
    instance = Instance.parse(row, keep_token=keep_token)
    if of_tags and not isinstance(row.get("tags"), list | None):
        raise CloudElementsServerError(f"The tags of instance {instance.id} cannot be read.")
    return instance


def _may_have(row: Any, tags: Iterable[str]) -> bool:
    """Return whether an instance that cannot be read may have some tags."""
    told = row.get("tags") if isinstance(row, Mapping) else None
    return not isinstance(told, list) or set(tags) <= set(parse_tags(told))


def _may_be_ours(row: Any) -> bool:
    """Return whether a row that cannot be read may be an instance that this provider made."""
    told = row.get("tags") if isinstance(row, Mapping) else getattr(row, "tags", None)
    return not isinstance(told, list | tuple) or bool(own_tags(parse_tags(list(told))))


def _having_token(instance: Instance) -> Instance:
    if instance.token is None:
        path = _path(instance.id)
        raise CloudElementsServerError(
            f"GET {path}: the answer holds no token.", status=200, method="GET", path=path
        )
    return instance


def _parts(configuration: Any, provider_data: Any, tags: Any) -> dict[str, Any]:
    """Return the given parts of a body that a create and a change have in common."""
    body: dict[str, Any] = {}
    if provider_data:
        body["providerData"] = _writable(dictionary("provider_data", provider_data))
    if configuration:
        body["configuration"] = _writable(dictionary("configuration", configuration))
    if tags is not None:
        body["tags"] = list(texts("tags", tags))
    return body


def _writable(configuration: dict[str, Any]) -> dict[str, Any]:
    """Refuse masked values: what the platform does with them is not known (unknown U162)."""
    masked = asterisk_keys(configuration)
    if masked:
        raise CloudElementsValidationError(
            f"The value of {', '.join(map(repr, masked))} is asterisks, which the platform and Airflow show "
            "in place of a secret. Writing them back could overwrite the secret."
        )
    return configuration
