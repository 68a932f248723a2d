"""The fields of the two connection types, each defined once, and the form that Airflow shows for them.

This module imports nothing heavy, because Airflow loads the form in every process that it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONN_TYPE = "cloudelements"
ELEMENT_CONN_TYPE = "cloudelements_element"

#: Longest time-out, in seconds. Sockets refuse a time that does not fit into their clock.
DAY = 86_400


@dataclass(frozen=True)
class FormField:
    """One field of a connection, for the form and for the parser.

    :param name: Its key in the connection's ``extra``, or the name of one of Airflow's standard fields.
    :param label: Its label in the form.
    :param description: Its purpose and its default. The form shows this text beside the field.
    :param kind: ``string``, ``secret``, ``word`` (a secret that becomes one word of a header), ``number``,
        ``integer``, ``boolean``, ``url`` or ``object``.
    :param default: The value when the field is missing, empty or null.
    :param choices: Allowed values. The form shows a drop-down list.
    :param minimum: Least number allowed.
    :param maximum: Greatest number allowed.
    :param required: Whether a connection needs it. Its label says so. Airflow's own mark would refuse a
        connection whose authorization header stands in for the secrets.
    """

    name: str
    label: str
    description: str
    kind: str = "string"
    default: Any = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    required: bool = False

    @property
    def form_label(self) -> str:
        """The label, as the form shows it."""
        return f"{self.label} (required)" if self.required else self.label

    def schema(self) -> dict[str, Any]:
        """Return the field's JSON schema, as Airflow's form reads it."""
        json_type = {"number": "number", "integer": "integer", "boolean": "boolean", "object": "object"}
        schema: dict[str, Any] = {"type": [json_type.get(self.kind, "string"), "null"]}
        if self.kind in ("secret", "word"):
            schema["format"] = "password"
        if self.kind == "url":
            schema["format"] = "url"
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.minimum is not None:
            schema["minimum"] = self.minimum
        if self.maximum is not None:
            schema["maximum"] = self.maximum
        if self.default is not None:
            schema["default"] = self.default
        if self.required:
            # Airflow folds all fields of extra away, at most under a heading that says what is below it.
            schema["section"] = self.form_label
        return schema


#: Airflow's standard fields of the account's connection, then those of its ``extra``.
CONNECTION_STANDARD_FIELDS = (
    FormField(
        "host",
        "API host",
        "The API's host: a name, an origin, or an origin with /elements/api-v2. Behind a gateway, the path "
        "that the gateway puts before /elements/api-v2 belongs to it, as in https://gateway.example.com/ce. "
        "Without a scheme, the provider uses https. It accepts http only for this machine, or if Verify TLS "
        "is off as well. There is no default.",
        required=True,
    ),
    FormField(
        "password",
        "User secret",
        "The User secret alone, without the word User and without a comma.",
        kind="word",
        required=True,
    ),
)
CONNECTION_FIELDS = (
    FormField(
        "organization_secret",
        "Organization secret",
        "The Organization secret of your account, from the page that also shows your User secret.",
        kind="word",
        required=True,
    ),
    FormField(
        "namespace",
        "Namespace",
        "Name of this Airflow among those that share the account. It belongs to every instance key, so that "
        "two Airflows never take each other's instances for their own. Default: none.",
        default="",
    ),
    FormField(
        "request_timeout",
        "Request time-out (seconds)",
        "Longest time for a call, up to the last byte of its answer, except one that creates or "
        "re-authenticates an instance. Default: 30.",
        kind="number",
        default=30.0,
        minimum=1,
        maximum=DAY,
    ),
    FormField(
        "create_timeout",
        "Create time-out (seconds)",
        "Longest time for a call during which the platform logs in at the vendor. Default: 60. Less is "
        "seldom wise: an answer that comes too late leaves an instance behind.",
        kind="number",
        default=60.0,
        minimum=1,
        maximum=DAY,
    ),
    FormField(
        "max_retries",
        "Retries",
        "How often the provider repeats a call after a passing fault, if a repetition is safe. Default: 3.",
        kind="integer",
        default=3,
        minimum=0,
        maximum=100,
    ),
    FormField(
        "proxy",
        "Proxy",
        "Address of an HTTP proxy, as http://host:port. Empty: HTTPS_PROXY and NO_PROXY decide.",
        kind="secret",  # may hold a user and a password
    ),
    FormField(
        "verify_tls",
        "Verify TLS",
        "Whether the host must show a valid certificate. Turn it off for an experiment only.",
        kind="boolean",
        default=True,
    ),
    FormField(
        "ca_bundle",
        "CA bundle",
        "Path of a file of certificates to trust instead of the usual ones, on every worker.",
    ),
    FormField(
        "authorization",
        "Authorization header",
        "A whole header to send instead of the two secrets, for accounts that use bearer tokens.",
        kind="secret",
    ),
    FormField(
        "console_url",
        "Console page of an instance",
        "Template for a link to an instance's page, such as https://my.example.com/instances/{id}. Empty: "
        "Airflow shows no link.",
        kind="url",
    ),
)

#: The same for an element's connection.
ELEMENT_STANDARD_FIELDS = (
    FormField(
        "login",
        "API key or user name",
        "With oauth2 the app's API key (oauth.api.key), with basic the user name. Airflow shows it in clear.",
    ),
    FormField(
        "password",
        "API secret or password",
        "With oauth2 the app's API secret (oauth.api.secret), with basic the password.",
        kind="secret",
    ),
)
ELEMENT_FIELDS = (
    FormField(
        "element",
        "Element key",
        "Key of the element that these credentials are for, such as microsoftgraph. Operators refuse any "
        "other element.",
    ),
    FormField(
        "authentication",
        "Authentication",
        "oauth2: login and password are the app's API key and secret. basic: they are user name and "
        "password. custom: Configuration holds the element's own keys.",
        default="oauth2",
        choices=("oauth2", "basic", "custom"),
    ),
    FormField("oauth_scope", "OAuth scope", "Scopes to ask the vendor for, separated by spaces."),
    FormField(
        "oauth_callback_url",
        "OAuth callback URL",
        "Where the vendor sends the user back to. It must be the one registered with the vendor's app.",
        kind="url",
    ),
    FormField(
        "oauth_user_refresh_token",
        "OAuth refresh token",
        "A refresh token that you already hold. With it, the provider creates the instance with no person "
        "present.",
        kind="secret",
    ),
    FormField(
        "event_callback_url",
        "Event callback URL",
        "Where the platform delivers events, unless the operator names another.",
        kind="url",
    ),
    FormField(
        "event_signature_secret",
        "Event signature key",
        "The key with which the platform signs the events it delivers.",
        kind="secret",
    ),
    FormField(
        "configuration",
        "Configuration",
        "Further configuration keys of the element, as a JSON object. Put secrets in the fields above if "
        "one fits: of this one, Airflow hides only values whose key it takes for a secret's.",
        kind="object",
    ),
)

#: The use of Airflow's standard fields: which ones the form hides, their labels and their placeholders.
CONNECTION_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "port", "login"],
    "relabeling": {each.name: each.form_label for each in CONNECTION_STANDARD_FIELDS},
    "placeholders": {
        "host": "https://api.cloud-elements.com or https://api.openconnectors.us2.ext.hana.ondemand.com"
    },
}
ELEMENT_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "port", "host"],
    "relabeling": {each.name: each.form_label for each in ELEMENT_STANDARD_FIELDS},
    "placeholders": {},
}


def provider_form(fields: tuple[FormField, ...]) -> dict[str, Any]:
    """Return the fields as ``conn-fields`` of the provider's metadata (Airflow 3.2 and later)."""
    return {
        each.name: {"label": each.form_label, "description": each.description, "schema": each.schema()}
        for each in fields
    }


def form_widgets(fields: tuple[FormField, ...]) -> dict[str, Any]:
    """Return the fields as WTForms widgets, which Airflow 3.1 reads from the hook."""
    # These are stand-ins of Airflow 3.1's own, or Flask AppBuilder if it is installed.
    from flask_appbuilder.fieldwidgets import (  # type: ignore[import-not-found]
        BS3PasswordFieldWidget,
        BS3TextFieldWidget,
    )
    from wtforms import (  # type: ignore[import-untyped]
        BooleanField,
        IntegerField,
        PasswordField,
        StringField,
    )
    from wtforms.validators import NumberRange, any_of  # type: ignore[import-untyped]

    types = {
        "secret": PasswordField,
        "word": PasswordField,
        "number": IntegerField,  # Airflow 3.1 has no field for fractions
        "integer": IntegerField,
        "boolean": BooleanField,
    }
    widgets = {}
    for each in fields:
        validators: list[Any] = []
        if each.choices:
            validators.append(any_of(list(each.choices)))
        if each.minimum is not None or each.maximum is not None:
            validators.append(NumberRange(min=each.minimum, max=each.maximum))
        password = each.kind in ("secret", "word")
        widgets[each.name] = types.get(each.kind, StringField)(
            each.form_label,
            description=each.description,
            default=int(each.default) if each.kind == "number" else each.default,
            validators=validators,
            widget=BS3PasswordFieldWidget() if password else BS3TextFieldWidget(),
        )
    return widgets


def form_behaviour(behaviour: Mapping[str, Any]) -> dict[str, Any]:
    """Return the use of the standard fields in the form that Airflow 3.1 reads from the hook."""
    return {key.replace("-", "_"): value for key, value in behaviour.items()}
