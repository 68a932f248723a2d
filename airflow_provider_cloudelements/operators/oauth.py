"""The link at which a person consents."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from airflow_provider_cloudelements.client.arguments import refuse_asterisks
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID, DEFAULT_ELEMENT_CONN_ID, is_web_url
from airflow_provider_cloudelements.exceptions import (
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsElementHook
from airflow_provider_cloudelements.keys import API_KEY, API_SECRET, OAUTH_CALLBACK_URL, OAUTH_SCOPE
from airflow_provider_cloudelements.links.oauth import CloudElementsConsentLink
from airflow_provider_cloudelements.operators._parts.base import (
    CloudElementsBaseOperator,
    mask_given,
    require_bool,
)
from airflow_provider_cloudelements.provisioning.arguments import chosen_element
from airflow_provider_cloudelements.provisioning.codes import check_element

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["XCOM_STATE", "XCOM_URL", "CloudElementsGetOAuthUrlOperator"]

#: XCom key under which the operator pushes the link at which a person consents.
XCOM_URL = "url"
#: XCom key under which the operator pushes the state in that link.
XCOM_STATE = "state"

#: Host where Microsoft asks for consent. Microsoft gives a refresh token only for this scope. Without a
#: refresh token, the instance stops working when its first access token expires (fact F130).
_MICROSOFT_HOST = "login.microsoftonline.com"
_OFFLINE = "offline_access"


class CloudElementsGetOAuthUrlOperator(CloudElementsBaseOperator):
    """Get the link at which a person allows the access, and push it to XCom.

    XCom ``url`` holds the link and ``state`` the random text that comes back with the code. Give both the
    pasted answer and the state to the create, which compares them. Neither is a secret. A link of the task
    leads to the same page.

    :param element: Key of the element. Default: the element of the element connection. Templated.
    :param element_conn_id: Connection of type ``cloudelements_element``, with the app's key and secret,
        scopes and callback URL. Default: ``cloudelements_element_default``. Templated.
    :param scopes: Scopes to ask for: a list, or a text with spaces between. Default: the connection's scopes.
        Templated.
    :param oauth_callback_url: Address to which the vendor sends the person back; must equal
        ``oauth.callback.url`` of the instance made later. Default: the connection's callback URL. Templated.
    :param parameters: Further parameters of the call that an element needs, such as
        ``{"siteAddress": ...}``. Templated.
    :param post: Whether to send the app's secret in a body instead of the query, which the platform's logs
        may keep. Only the vendor's generated client has this call (fact F123). Default: ``False``.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``url``, ``state``, ``element``.
    :raises CloudElementsValidationError: The connection lacks a field that the link needs.
    :raises CloudElementsError: Any other failure of the call.
    """

    template_fields: Collection[str] = (
        "cloudelements_conn_id",
        "element",
        "element_conn_id",
        "scopes",
        "oauth_callback_url",
        "parameters",
    )
    secret_fields = ("oauth_callback_url", "parameters")
    fields_of_keys = {"oauth_callback_url": OAUTH_CALLBACK_URL}
    operator_extra_links = (CloudElementsConsentLink(),)
    #: Set by a run, for the link.
    consent_link = ""

    def __init__(
        self,
        *,
        element: str | None = None,
        element_conn_id: str = DEFAULT_ELEMENT_CONN_ID,
        scopes: str | Sequence[str] | None = None,
        oauth_callback_url: str | None = None,
        parameters: Mapping[str, str] | None = None,
        post: bool = False,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.element = element
        self.element_conn_id = element_conn_id
        self.scopes = scopes
        self.oauth_callback_url = oauth_callback_url
        self.parameters = parameters
        self.post = require_bool("post", post)

    def name_by_arguments(self) -> Any:
        """Return what the consent is for."""
        return self.element or self.element_conn_id

    def perform(self, context: Context) -> dict[str, str]:
        """Get the link, check it, and push it."""
        app = CloudElementsElementHook(self.element_conn_id).get_conn()
        element = chosen_element(self.element, app)
        values = app.configuration
        scope, state = self._scope(values), secrets.token_urlsafe(24)
        url = self._link(
            element,
            api_key=_needed(values, API_KEY, self.element_conn_id),
            api_secret=_needed(values, API_SECRET, self.element_conn_id),
            oauth_callback_url=self._callback_url(values),
            scope=scope,
            state=state,
            post=self.post,
            extra=self._parameters(),
        )
        self._check(url, element, scope, state)
        self.consent_link = url
        if self.do_xcom_push:
            context["ti"].xcom_push(key=XCOM_URL, value=url)
            context["ti"].xcom_push(key=XCOM_STATE, value=state)
        self.log.info("A person can allow the access to element %s here: %s", element, url)
        return {"url": url, "state": state, "element": element}

    def _link(self, element: str, **values: Any) -> str:
        elements = self.hook.get_conn().elements
        refusal: CloudElementsNotFoundError | None = None
        try:
            return elements.oauth_url(element, **values)
        except CloudElementsNotFoundError as error:
            refusal = error
        check_element(elements, element)
        raise refusal

    def _callback_url(self, values: Mapping[str, Any]) -> str:
        url = self.secret("oauth_callback_url") or _needed(values, OAUTH_CALLBACK_URL, self.element_conn_id)
        if not isinstance(url, str) or not is_web_url(url):
            raise CloudElementsValidationError(
                "oauth_callback_url must be an absolute address that begins with https:// or http://."
            )
        return url

    def _scope(self, values: Mapping[str, Any]) -> str | None:
        scopes = self.scopes if self.scopes not in (None, "", [], ()) else values.get(OAUTH_SCOPE)
        if scopes is None or isinstance(scopes, str):
            return scopes
        if not isinstance(scopes, Sequence) or not all(
            isinstance(scope, str) and scope and not scope.isspace() for scope in scopes
        ):
            raise CloudElementsValidationError("scopes must be a list of strings, or one string.")
        return " ".join(scopes)

    def _parameters(self) -> dict[str, str]:
        parameters = self.secret("parameters")
        if not parameters:
            return {}
        if not isinstance(parameters, Mapping) or not all(
            isinstance(each, str) for pair in parameters.items() for each in pair
        ):
            raise CloudElementsValidationError("parameters must be a dictionary of strings.")
        if taken := sorted(_TAKEN & set(parameters)):
            raise CloudElementsValidationError(
                f"parameters: {', '.join(taken)} comes from the connection or its own argument, and the "
                "operator makes the state. Leave it out of parameters."
            )
        refuse_asterisks("parameters", parameters)
        mask_given(parameters)
        return dict(parameters)

    def _check(self, url: str, element: str, scope: str | None, state: str) -> None:
        """Check the link that the platform returned."""
        if not isinstance(url, str) or not is_web_url(url):
            raise CloudElementsServerError("The link in the platform's answer is no web address.")
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        if query.get("state") != [state]:
            self.log.warning(
                "The link does not hold the state that was asked for, so that a pasted address cannot be "
                "compared with it. Paste the code alone."
            )
        asked = " ".join(query.get("scope", [scope or ""])).split()
        microsoft = parts.hostname == _MICROSOFT_HOST or element.startswith("microsoft")
        if microsoft and _OFFLINE not in asked:
            self.log.warning(
                "The scopes lack %s: Microsoft gives no refresh token without it, and the instance stops "
                "working when its first access token has expired. Add it to the scopes.",
                _OFFLINE,
            )


#: Parameters that the operator itself sets.
_TAKEN = {"apiKey", "apiSecret", "callbackUrl", "scope", "state"}
#: The connection's fields that a link needs, by their configuration keys.
_FIELDS = {
    API_KEY: "login",
    API_SECRET: "password",
    OAUTH_CALLBACK_URL: "oauth_callback_url",
}


def _needed(values: Mapping[str, Any], key: str, conn_id: str) -> str:
    value = values.get(key)
    if not isinstance(value, str) or not value:
        raise CloudElementsValidationError(
            f"Connection {conn_id!r}, field {_FIELDS[key]!r}: it is empty. A consent link needs it."
        )
    return value
