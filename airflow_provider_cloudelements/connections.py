"""Read and validate the two connection types, from the same list of fields that makes their form.

``cloudelements`` holds what the platform asks of its users. ``cloudelements_element`` holds what one vendor
needs for the login. A connection becomes one frozen, validated settings object. A missing or malformed field
raises :class:`~airflow_provider_cloudelements.exceptions.CloudElementsConnectionError`. The error names the
connection and the field, and never a value.
"""

from __future__ import annotations

import base64
import difflib
import ipaddress
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from airflow_provider_cloudelements.connection_form import (
    CONN_TYPE,
    CONNECTION_FIELDS,
    DAY,
    ELEMENT_CONN_TYPE,
    ELEMENT_FIELDS,
    FormField,
)
from airflow_provider_cloudelements.exceptions import CloudElementsConnectionError
from airflow_provider_cloudelements.keys import (
    API_KEY,
    API_SECRET,
    EVENT_CALLBACK_URL,
    EVENT_SIGNATURE_KEY,
    OAUTH_CALLBACK_URL,
    OAUTH_SCOPE,
    PASSWORD,
    REFRESH_TOKEN,
    USERNAME,
    holds_asterisks,
    is_asterisks,
)

__all__ = ["DEFAULT_CONN_ID", "DEFAULT_ELEMENT_CONN_ID", "ConnectionSettings", "ElementSettings"]

#: Path under which every environment and both brands serve the API (fact F1).
API_PREFIX = "/elements/api-v2"

#: Longest time-out of a call, in seconds.
LONGEST_TIMEOUT = DAY
#: Most repetitions of a call.
MOST_RETRIES = 100

#: Connection that hooks, operators and sensors take if none is named: one of type ``cloudelements``.
DEFAULT_CONN_ID = "cloudelements_default"
#: Connection with an element's credentials if none is named: one of type ``cloudelements_element``.
DEFAULT_ELEMENT_CONN_ID = "cloudelements_element_default"

#: Configuration keys of an element connection, each with the connection's field that gives it.
_EVENT_FIELDS = {EVENT_CALLBACK_URL: "event_callback_url", EVENT_SIGNATURE_KEY: "event_signature_secret"}
_OAUTH_FIELDS = {
    OAUTH_SCOPE: "oauth_scope",
    OAUTH_CALLBACK_URL: "oauth_callback_url",
    REFRESH_TOKEN: "oauth_user_refresh_token",
}
_LOGIN_FIELDS = {
    "oauth2": {API_KEY: "login", API_SECRET: "password"},
    "basic": {USERNAME: "login", PASSWORD: "password"},
}
FIELD_OF_KEY = {**_EVENT_FIELDS, **_OAUTH_FIELDS, **_LOGIN_FIELDS["oauth2"], **_LOGIN_FIELDS["basic"]}

# A secret travels as one word of a comma-separated header: no space, no comma, printable ASCII.
_SECRET_SHAPE = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
_ASTERISKS = (
    "it consists of asterisks, which Airflow shows in place of a secret. Enter the secret itself. (A "
    "connection copied from what the REST API, airflowctl or a page shows lost its secrets.)"
)
_HOST_SHAPE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\.?")
# A scheme without all of "://", such as https//x.
_CUT_SCHEME = re.compile(r"https?[:/](?!//)", re.IGNORECASE)
# An IPv6 address without its brackets.
_BARE_IPV6 = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
# What a gateway puts before the API's own prefix. A dot alone would lead elsewhere.
_PREFIX_SHAPE = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)*")
# The beginning of the API's own prefix, or a path behind it.
_PART_OF_API = re.compile(r"/elements(/|$)|/api-v\d+(/|$)")

#: Arguments of operators that name a connection, by the type that it must have.
_ARGUMENTS = {CONN_TYPE: "cloudelements_conn_id", ELEMENT_CONN_TYPE: "element_conn_id"}


class _FieldReader:
    """Reads the fields of one connection. Every error names the connection and the field."""

    def __init__(self, connection: Any, conn_type: str, fields: tuple[FormField, ...]) -> None:
        self.conn_id = str(connection.conn_id)
        self.connection = connection
        self.fields = {each.name: each for each in fields}
        self._check_type(conn_type)
        self.extra = self._extra()

    def _check_type(self, wanted: str) -> None:
        """Refuse a connection of another type, whose fields mean something else."""
        given = getattr(self.connection, "conn_type", None)
        if given and given != wanted:
            raise CloudElementsConnectionError(
                f"Connection {self.conn_id!r} is of type {given!r}, but {_ARGUMENTS[wanted]} needs one of "
                f"type {wanted!r}: name another connection, or give this one the right type."
            )

    def fail(self, name: str, problem: str) -> NoReturn:
        raise CloudElementsConnectionError(f"Connection {self.conn_id!r}, field {name!r}: {problem}")

    def refuse_asterisks(self, name: str, value: Any) -> None:
        """Refuse what REST or airflowctl shows in place of a secret: it would overwrite the secret."""
        if is_asterisks(value):
            self.fail(name, _ASTERISKS)

    def _extra(self) -> dict[str, Any]:
        raw = self.connection.extra
        if not raw:
            return {}
        extra: Any = None
        try:
            extra = json.loads(raw)
        except (ValueError, RecursionError):
            pass  # raised below, outside the handler: the decoder's error carries the text that it read
        if not isinstance(extra, dict):
            self.fail("extra", "it is not a valid JSON object.")
        for name in extra:
            if name not in self.fields:
                near = difflib.get_close_matches(name, self.fields, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else f" Known fields: {', '.join(self.fields)}."
                self.fail("extra", f"there is no field {name!r}.{hint}")
        return extra

    def __getitem__(self, name: str) -> Any:
        form_field = self.fields[name]
        value = self.extra.get(name)
        if value is None or value == "":
            return form_field.default
        return getattr(self, f"_{form_field.kind}")(form_field, value)

    def _string(self, form_field: FormField, value: Any) -> str:
        if not isinstance(value, str):
            self.fail(form_field.name, "it must be a string.")
        if form_field.choices and value not in form_field.choices:
            self.fail(form_field.name, f"it must be one of {', '.join(form_field.choices)}.")
        return value

    def _secret(self, form_field: FormField, value: Any) -> str:
        text = self._string(form_field, value)
        self.refuse_asterisks(form_field.name, text)
        if text != text.strip() or not text.isprintable():
            self.fail(form_field.name, "it has white space around it or a control character in it.")
        return text

    def _word(self, form_field: FormField, value: Any) -> str:
        return self.word(form_field.name, value)

    def word(self, name: str, value: Any) -> str:
        """Check a secret that becomes one word of the Authorization header."""
        self.refuse_asterisks(name, value)
        if not isinstance(value, str) or not _SECRET_SHAPE.fullmatch(value):
            self.fail(
                name,
                "it must be the secret alone, printable ASCII with no space and no comma. "
                "(In the URI form of a connection, write + as %2B.)",
            )
        return value

    def _number(self, form_field: FormField, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            self.fail(form_field.name, "it must be a number.")
        number = float("nan")
        try:
            number = float(value)
        except (ValueError, OverflowError):
            pass  # the number stays NaN, which is within no bounds
        least = form_field.minimum if form_field.minimum is not None else float("-inf")
        most = form_field.maximum if form_field.maximum is not None else sys.float_info.max
        if not least <= number <= most:
            self.fail(form_field.name, f"it must be a number from {least:g} to {most:g}.")
        return number

    def _integer(self, form_field: FormField, value: Any) -> int:
        number = self._number(form_field, value)
        if not number.is_integer():
            self.fail(form_field.name, "it must be a whole number.")
        return int(number)

    def _boolean(self, form_field: FormField, value: Any) -> bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if isinstance(value, bool):
            return value
        if not isinstance(value, str) or value.lower() not in words:
            self.fail(form_field.name, "it must be true or false.")
        return words[value.lower()]

    def _url(self, form_field: FormField, value: Any) -> str:
        text = self._string(form_field, value)
        if not is_web_url(text):
            self.fail(form_field.name, "it must be an address that begins with https:// or http://.")
        self.refuse_asterisks(form_field.name, text)
        return text

    def _object(self, form_field: FormField, value: Any) -> dict[str, Any]:
        if isinstance(value, str):  # the URI form holds strings only
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                value = None
        if not isinstance(value, dict):
            self.fail(form_field.name, "it must be a JSON object.")
        return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _password_in(address: str | None) -> str | None:
    try:
        return urlsplit(address or "").password
    except ValueError:
        return None


def _login_in(basic: str) -> list[str]:
    """Return user and password of a header ``Basic``, together and the password alone."""
    try:
        login = base64.b64decode(basic, validate=True).decode()
    except ValueError:  # no base64, or no UTF-8
        return []
    return [login, login.partition(":")[2]]


def is_web_url(text: str) -> bool:
    """Say whether a text is an absolute http or https address, without white space around it."""
    try:
        parts = urlsplit(text)
        # urlsplit checks the port's range only on access to .port.
        well_formed = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        plain = text == text.strip() and text.isprintable() and " " not in parts.netloc
        return parts.scheme in ("http", "https") and well_formed and plain
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Say whether a host name or address is this machine's own."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _base_url(reader: _FieldReader, verify_tls: bool) -> str:
    """Return the address before the API's prefix that a connection names, in a single form.

    Clients in the wild store a bare host, an origin, or the origin with the API's prefix (fact F2). Behind a
    gateway, a path of its own may stand before the API's prefix.
    """
    connection = reader.connection
    text = connection.host.strip() if isinstance(connection.host, str) else ""
    if not text:
        reader.fail("host", "it is empty. It must be the API's host, such as api.cloud-elements.com.")
    parts = _parts_of_host(reader, text)
    prefix = _path_prefix(reader, parts.path)
    host, port = str(parts.hostname), parts.port
    if parts.scheme == "http" and verify_tls and not is_loopback(host):
        reader.fail(
            "host", "http:// would send the secrets in clear. Use https://, or turn verify_tls off as well."
        )
    # 0 is none: Airflow's page sends it in place of none, and 3.3.1 and 3.3.2 test no connection with none.
    own_port = None if type(connection.port) is int and connection.port == 0 else connection.port
    if own_port is not None and (type(own_port) is not int or not 0 < own_port < 65_536):
        reader.fail("port", "it must be a number from 1 to 65535.")
    port = port or own_port
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "") + prefix


def _parts_of_host(reader: _FieldReader, text: str) -> SplitResult:
    """Split the field ``host`` and check its scheme and its host name."""
    if "://" not in text:
        if _CUT_SCHEME.match(text):
            reader.fail(
                "host", "its scheme is mistyped: it must begin with https:// or with the host's name."
            )
        schema = reader.connection.schema
        text = f"{schema if schema in ('http', 'https') else 'https'}://{text}"
    if "@" in text:
        reader.fail("host", "it must hold no user, password, query or fragment.")
    parts: SplitResult | None = None
    try:
        parts = urlsplit(text)
        _ = parts.port  # urlsplit checks the port only on access
    except ValueError:
        parts = None
    if _BARE_IPV6.fullmatch(text.partition("://")[2].partition("/")[0]):
        reader.fail("host", "an IPv6 address stands in brackets, such as https://[2001:db8::1]:8443.")
    host = parts.hostname if parts is not None else None
    if parts is None or not host or not (_HOST_SHAPE.fullmatch(host) or ":" in host):
        reader.fail("host", "it is not a host name or an address, such as https://api.cloud-elements.com.")
    if parts.scheme not in ("http", "https"):
        reader.fail("host", "its scheme must be https or http.")
    if parts.query or parts.fragment:
        reader.fail("host", "it must hold no user, password, query or fragment.")
    if parts.port == 0:
        reader.fail("host", "its port must be a number from 1 to 65535.")
    return parts


def _path_prefix(reader: _FieldReader, path: str) -> str:
    """Return the path that a gateway puts before :data:`API_PREFIX`; mostly there is none."""
    path = path.rstrip("/")
    prefix = path.removesuffix(API_PREFIX)
    if not _PREFIX_SHAPE.fullmatch(prefix) or (prefix == path and _PART_OF_API.search(prefix)):
        reader.fail(
            "host",
            f"its path may hold a gateway's own prefix and, after it, {API_PREFIX}, which is optional; and "
            "nothing else.",
        )
    return prefix


@dataclass(frozen=True)
class ConnectionSettings:
    """The validated settings of a connection of type ``cloudelements``.

    :param base_url: Address before the API's prefix: scheme, host, and a gateway's own path.
    :param user_secret: The User secret; ``None`` with ``authorization``.
    :param organization_secret: The Organization secret; ``None`` with ``authorization``.
    :param conn_id: The connection's id, for messages.
    :param namespace: Part of the identity of every instance, beside its key, as the connection writes it.
    :param request_timeout: Seconds for an ordinary call.
    :param create_timeout: Seconds for a call that logs in at the vendor.
    :param max_retries: Repetitions of a call that may be repeated.
    :param proxy: Address of a proxy.
    :param verify_tls: Whether the client checks certificates.
    :param ca_bundle: File of certificates to trust.
    :param authorization: Raw header instead of the two secrets.
    :param console_url: Template of an instance's console page, with ``{id}``.
    """

    base_url: str
    user_secret: str | None = field(default=None, repr=False)
    organization_secret: str | None = field(default=None, repr=False)
    conn_id: str = DEFAULT_CONN_ID
    namespace: str = ""
    request_timeout: float = 30.0
    create_timeout: float = 60.0
    max_retries: int = 3
    proxy: str | None = field(default=None, repr=False)
    verify_tls: bool = True
    ca_bundle: str | None = None
    authorization: str | None = field(default=None, repr=False)
    console_url: str | None = None

    def __post_init__(self) -> None:
        """Refuse numbers with which a call would fail in a strange way, or never end.

        :raises CloudElementsConnectionError: A time-out or the number of retries is out of bounds.
        """
        for name in ("request_timeout", "create_timeout"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 < value <= LONGEST_TIMEOUT:
                raise CloudElementsConnectionError(
                    f"Connection {self.conn_id!r}, field {name!r}: it must be a number of seconds above 0, "
                    f"at most {LONGEST_TIMEOUT}."
                )
        if not _is_number(self.max_retries) or self.max_retries not in range(MOST_RETRIES + 1):
            raise CloudElementsConnectionError(
                f"Connection {self.conn_id!r}, field 'max_retries': it must be a whole number from 0 to "
                f"{MOST_RETRIES}."
            )

    @classmethod
    def from_connection(cls, connection: Any) -> ConnectionSettings:
        """Read an Airflow connection.

        :param connection: An ``airflow.sdk.Connection`` or anything with its attributes.
        :raises CloudElementsConnectionError: A field is missing or malformed.
        """
        reader = _FieldReader(connection, CONN_TYPE, CONNECTION_FIELDS)
        values = {each.name: reader[each.name] for each in CONNECTION_FIELDS}
        user_secret = connection.password or None
        if values["authorization"]:
            if not values["authorization"].isascii():
                reader.fail("authorization", "it must be printable ASCII, as a header is.")
            user_secret = values["organization_secret"] = None
        else:
            if not user_secret:
                reader.fail("password", "it is empty. It must be your User secret.")
            reader.word("password", user_secret)
            if not values["organization_secret"]:
                reader.fail("organization_secret", "it is empty. It must be your Organization secret.")
        if values["namespace"] and (
            values["namespace"].strip() == "None"
            or not any(map(str.isprintable, "".join(values["namespace"].split())))
        ):
            reader.fail("namespace", "it is blank, or 'None'. Omit it if this Airflow needs no namespace.")
        if values["proxy"] and not is_web_url(values["proxy"]):
            reader.fail(
                "proxy",
                "it must be an address that begins with http:// or https://, with its user and password, if "
                "any, URL-quoted (/ as %2F).",
            )
        if values["console_url"] and "{id}" not in values["console_url"]:
            reader.fail("console_url", "it must contain {id}, where the instance's id goes.")
        settings = cls(
            base_url=_base_url(reader, values["verify_tls"]),
            user_secret=user_secret,
            conn_id=reader.conn_id,
            **values,
        )
        if any(is_asterisks(secret) for secret in settings.secrets):  # a part of a field, such as a password
            reader.fail("authorization" if values["authorization"] else "proxy", _ASTERISKS)
        return settings

    @property
    def authorization_header(self) -> str:
        """The Authorization header of a call without an element token (fact F3)."""
        return self.authorization or f"User {self.user_secret}, Organization {self.organization_secret}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret in these settings, for the masker and for redaction."""
        values = (self.user_secret, self.organization_secret, self.authorization, self.proxy)
        found = [value or "" for value in values]
        # "Bearer x" (fact F11), or the documented words (F3): the part after the word is as secret.
        for pair in (self.authorization or "").split(","):
            word, _, secret = (each.strip() for each in pair.strip().partition(" "))
            found.append(secret)
            if word.lower() == "basic":
                found += _login_in(secret)
        if password := _password_in(self.proxy):
            found += [password, unquote(password)]
        return tuple(value for value in dict.fromkeys(found) if value)


@dataclass(frozen=True)
class ElementSettings:
    """The validated settings of a connection of type ``cloudelements_element``: the login at one vendor.

    :param element: Key of the element, ``None`` if the connection names none.
    :param authentication: ``oauth2``, ``basic`` or ``custom``.
    :param configuration: Configuration keys for ``POST /instances``, including those of the named fields.
    :param conn_id: The connection's id, for messages.
    """

    element: str | None = None
    authentication: str = "oauth2"
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    conn_id: str = DEFAULT_ELEMENT_CONN_ID

    @classmethod
    def from_connection(cls, connection: Any) -> ElementSettings:
        """Read an Airflow connection.

        :param connection: An ``airflow.sdk.Connection`` or anything with its attributes.
        :raises CloudElementsConnectionError: A field is malformed, or does not fit the authentication.
        """
        reader = _FieldReader(connection, ELEMENT_CONN_TYPE, ELEMENT_FIELDS)
        authentication = reader["authentication"]
        named = {key: reader[name] for key, name in _EVENT_FIELDS.items()}
        if authentication == "oauth2":
            named |= {key: reader[name] for key, name in _OAUTH_FIELDS.items()}
        else:
            for name in _OAUTH_FIELDS.values():
                if reader[name]:
                    reader.fail(name, f"it goes with authentication oauth2, not {authentication}.")
        for key, name in _LOGIN_FIELDS.get(authentication, {}).items():
            named[key] = getattr(connection, name)
            reader.refuse_asterisks(name, named[key])
        if authentication == "custom" and (connection.login or connection.password):
            reader.fail("login", "with custom authentication, put the keys into the field 'configuration'.")
        configuration = dict(reader["configuration"] or {})
        for key, value in configuration.items():
            if holds_asterisks(value, least=3):  # fewer are a wildcard
                reader.fail("configuration", f"its key {key!r}: {_ASTERISKS}")
        for key, value in named.items():
            if value and key in configuration and configuration[key] != value:
                reader.fail("configuration", f"its key {key!r} differs from the field for this key.")
            if value:
                configuration[key] = value
        element = (reader["element"] or "").strip() or None
        return cls(element, authentication, configuration, reader.conn_id)
