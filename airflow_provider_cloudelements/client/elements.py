"""The ``/elements`` part of the API: the catalogue, and the link that asks a person for consent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_provider_cloudelements.client.arguments import dictionary, path_segment, text
from airflow_provider_cloudelements.client.models import Element, ElementKey, ElementMetadata
from airflow_provider_cloudelements.client.parsing import parse_object, parse_text
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.client.wire.listing import readable
from airflow_provider_cloudelements.client.wire.secrecy import redact, secret_values
from airflow_provider_cloudelements.exceptions import CloudElementsNotFoundError, CloudElementsServerError

__all__ = ["ElementsApi"]


class ElementsApi:
    """Elements that the account can make instances of.

    :param http: Sends the calls.
    """

    def __init__(self, http: HttpSession) -> None:
        self._http = http

    def get(self, key_or_id: str | int) -> Element:
        """Read one element.

        :param key_or_id: Its key, or its id.
        :raises CloudElementsNotFoundError: There is no such element.
        """
        return Element.parse(self._http.send("GET", _path(key_or_id)).body)

    def list(self) -> Iterator[Element]:
        """Yield the elements of the catalogue, a page at a time."""
        return readable(self._http.list_items("/elements"), Element.parse, "elements")

    def keys(self) -> tuple[str, ...]:
        """Return the keys of the catalogue's elements, in one call (fact F94)."""
        keys = self._http.list_items("/elements/keys", page_size=None)
        return tuple(key for key in keys if isinstance(key, str))

    def configuration(self, key_or_id: str | int) -> tuple[ElementKey, ...]:
        """Read the configuration keys that an element has (fact F84).

        :param key_or_id: Its key, or its id.
        :raises CloudElementsNotFoundError: There is no such element.
        """
        body = self._http.send("GET", f"{_path(key_or_id)}/configuration").body
        rows = parse_object(body, "element's configuration").get("configuration")
        return tuple(map(ElementKey.parse, rows)) if isinstance(rows, list) else ()

    def metadata(self, key_or_id: str | int) -> ElementMetadata:
        """Read what an element can do with events.

        :param key_or_id: Its key, or its id. A key costs one more call: the call for metadata takes only an
            id (fact F85).
        :raises CloudElementsNotFoundError: There is no such element.
        """
        if isinstance(key_or_id, str):
            element_id = self.get(key_or_id).id
            if element_id is None:
                raise CloudElementsNotFoundError(
                    f"The element {key_or_id!r} has no id, which the call for its metadata needs."
                )
            key_or_id = element_id
        return ElementMetadata.parse(self._http.send("GET", f"{_path(key_or_id)}/metadata").body)

    def oauth_url(
        self,
        key_or_id: str | int,
        *,
        api_key: str,
        api_secret: str,
        oauth_callback_url: str,
        scope: str | None = None,
        state: str | None = None,
        post: bool = False,
        extra: Mapping[str, str] | None = None,
    ) -> str:
        """Return the link at which a person consents.

        After that, the vendor sends the person to the callback.

        :param key_or_id: The element's key, or its id.
        :param api_key: Id of the vendor's app.
        :param api_secret: Its secret.
        :param oauth_callback_url: Where the vendor sends the person back to, with ``code`` and ``state``. It
            must equal ``oauth.callback.url`` of the instance made later.
        :param scope: Scopes, separated by spaces.
        :param state: Text that comes back with the code. Without one the platform uses the element's key
            (fact F124), which anybody can guess. Give a random text and compare it.
        :param post: Whether to send the parameters in a body instead of the query. From a query, the secret
            would get into the platform's access logs. Only the generated client has this ``POST`` (fact
            F123); ``GET`` is the documented way.
        :param extra: Further parameters, such as ``siteAddress``.
        :raises CloudElementsServerError: The answer holds no link, or one that shows the app's secret or a
            parameter that is not known to be harmless.
        """
        params: dict[str, str] = {
            "apiKey": text("api_key", api_key),
            "apiSecret": text("api_secret", api_secret),
            "callbackUrl": text("oauth_callback_url", oauth_callback_url),
            **({"scope": text("scope", scope)} if scope else {}),
            **({"state": text("state", state)} if state else {}),
            **dictionary("extra", extra, of_texts=True),
        }
        path = f"{_path(key_or_id)}/oauth/url"
        if post:
            reply = self._http.send("POST", path, body=params, repeatable=True)
        else:
            reply = self._http.send("GET", path, params=params)
        url = parse_text(parse_object(reply.body, "consent link").get("oauthUrl"))
        problem = None
        if not url:
            problem = "the answer holds no link (oauthUrl)."
        elif redact(url, [api_secret]) != url:
            problem = "the link in the answer shows the app's secret, so it must be given to nobody."
        elif told := [key for key in extra or {} if _shows(url, key, (extra or {})[key])]:
            problem = (
                f"the link in the answer shows parameter {told[0]!r}, which is not known to be harmless. "
                "Links are stored and shown, so this one must be given to nobody."
            )
        if problem or url is None:
            raise CloudElementsServerError(f"{path}: {problem}", status=reply.status, path=path)
        return url


def _shows(url: str, key: str, value: str) -> bool:
    """Return whether a link shows a parameter that may be a secret."""
    return redact(url, secret_values({key: value}, configuration=True)) != url


def _path(key_or_id: str | int) -> str:
    return f"/elements/{path_segment('key_or_id', key_or_id)}"
