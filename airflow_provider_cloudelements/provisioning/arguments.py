"""Build the wanted instance from arguments (an operator's, or a manifest's row) and an element connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cloudelements.client.arguments import refuse_asterisks
from airflow_provider_cloudelements.client.models import configuration_text
from airflow_provider_cloudelements.client.tags import (
    Identity,
    element_key,
    named_text,
    optional_text,
    without_ends,
)
from airflow_provider_cloudelements.connections import ConnectionSettings, ElementSettings, is_web_url
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.keys import (
    EVENT_CALLBACK_URL,
    EVENTS_ENABLED,
    REFRESH_TOKEN,
)
from airflow_provider_cloudelements.provisioning.consent import no_answer, read_consent
from airflow_provider_cloudelements.provisioning.difference import comparable_text
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec

#: Kinds of the arguments that a manifest's row can give, by their names.
KINDS = {
    "element": "text",
    "instance_name": "text",
    "instance_key": "text",
    "configuration": "object",
    "events_enabled": "boolean",
    "event_callback_url": "text or null",
    "event_configuration": "object",
    "tags": "texts",
}
#: Arguments that hold a person's consent: secrets that work once.
CONSENT = frozenset({"authorization_code", "authorization_state", "provider_data"})
#: Default of an argument for which ``None`` has a meaning of its own.
NOT_GIVEN = ""


def default_key(element: str, name: str) -> str:
    """Return the default key of an instance: stable over runs, retries and map indexes."""
    return f"{element}/{name}"


@dataclass(frozen=True, kw_only=True)
class InstanceArguments:
    """A DAG's rendered arguments for an instance: the create operator takes all of them, others take some.

    The names are those of the operators' arguments. This class checks the arguments and builds from them.

    :param element: Key of the element.
    :param instance_name: Name of the instance.
    :param instance_key: Key that identifies the instance in later runs, without the connection's namespace.
    :param authorization_code: The code of a consent, or the whole address that a vendor sent the person to.
    :param authorization_state: The state that the consent link was made with.
    :param provider_data: Further values that the vendor's redirect brought.
    :param configuration: Configuration keys and values, by the API's names.
    :param events_enabled: Whether events are on; ``None``: not given.
    :param event_callback_url: Address to which the platform delivers events; ``None``: none, on purpose.
    :param event_configuration: Further ``event.*`` keys.
    :param tags: Tags that the instance shall have.
    """

    element: Any = None
    instance_name: Any = None
    instance_key: Any = None
    authorization_code: Any = field(default=None, repr=False)
    authorization_state: Any = field(default=None, repr=False)
    provider_data: Any = field(default=None, repr=False)
    configuration: Any = field(default=None, repr=False)
    events_enabled: bool | None = None
    event_callback_url: Any = field(default=NOT_GIVEN, repr=False)
    event_configuration: Any = field(default=None, repr=False)
    tags: Any = None

    @classmethod
    def from_row(cls, given: Mapping[str, Any]) -> InstanceArguments:
        """Take the arguments that a manifest's row gives.

        :param given: Values by the arguments' names. Others are passed over.
        """
        return cls(**{name: given[name] for name in KINDS if name in given})

    def faults(
        self, credentials: ElementSettings | None
    ) -> Iterator[tuple[str, CloudElementsValidationError]]:
        """Yield each argument that is wrong by itself, with its error.

        :param credentials: The element connection, if there is one.
        """
        checks: dict[str, Callable[[], object]] = {
            "element": lambda: chosen_element(self.element, credentials),
            "instance_name": lambda: checked_name("instance_name", self.instance_name),
            "instance_key": lambda: optional_text("instance_key", self.instance_key),
            "configuration": self.given_configuration,
            "tags": lambda: tag_list("tags", self.tags),
        }
        for name, check in checks.items():
            try:
                check()
            except CloudElementsValidationError as error:
                yield name, error

    def identity(self, settings: ConnectionSettings, credentials: ElementSettings | None) -> Identity:
        """Return the identity of the instance that the arguments name.

        :param settings: The connection, whose namespace is part of the identity.
        :param credentials: The element connection, if there is one.
        :raises CloudElementsValidationError: Key, element or name is missing or malformed.
        """
        return named(settings, credentials, self.element, self.instance_name, self.instance_key, None)[2]

    def spec(
        self,
        settings: ConnectionSettings,
        credentials: ElementSettings | None,
        *,
        origin: str | None = None,
        more_tags: tuple[str, ...] = (),
        configuration: Mapping[str, Any] | None = None,
    ) -> InstanceSpec:
        """Build the instance that the arguments describe.

        An argument overrides ``configuration``, which overrides the element connection. Two different values
        of one key within the DAG are an error.

        :param settings: The connection, whose namespace is part of the identity.
        :param credentials: The element connection, if there is one.
        :param origin: Name of the task instance, the same in each try.
        :param more_tags: Tags that it must have beside those of the arguments.
        :param configuration: What :meth:`whole_configuration` returned for the same arguments. Default: this
            method calls it.
        :raises CloudElementsValidationError: Arguments are missing, malformed or contradict each other. The
            error names them, never their values.
        """
        element, name, identity, tags = named(
            settings, credentials, self.element, self.instance_name, self.instance_key, self.tags
        )
        login = self.given_login()
        wanted = self.whole_configuration(credentials, login) if configuration is None else configuration
        return InstanceSpec(
            element=element,
            name=name,
            key=identity.written_key,
            namespace=identity.written_namespace,
            configuration=wanted,
            provider_data=login,
            external_authentication="initial" if wanted.get(REFRESH_TOKEN) else None,
            tags=with_more(tags, more_tags),
            origin=origin,
        )

    def whole_configuration(
        self, credentials: ElementSettings | None, login: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the whole configuration of the instance, by the API's keys.

        :param credentials: The element connection, if there is one.
        :param login: Values of a vendor's login, if there are any.
        :raises CloudElementsValidationError: An argument is malformed, or two of them differ.
        """
        wanted = self.given_configuration()
        if login and wanted.get(REFRESH_TOKEN):
            raise CloudElementsValidationError(
                f"Both an authorization code and {REFRESH_TOKEN!r} are given; one of them makes an instance."
            )
        inherited = dict(credentials.configuration) if credentials is not None else {}
        if login:
            inherited.pop(REFRESH_TOKEN, None)
        if self.event_callback_url is None:
            inherited.pop(EVENT_CALLBACK_URL, None)
        wanted = {EVENTS_ENABLED: True, **inherited, **wanted}
        _check_events(wanted, self.event_callback_url)
        return wanted

    def given_configuration(self) -> dict[str, Any]:
        """Return the configuration that the arguments give, by the API's keys.

        :raises CloudElementsValidationError: An argument is malformed, or two of them differ.
        """
        wanted = _object("configuration", self.configuration)
        for argument in ("configuration", "event_configuration"):
            refuse_asterisks(argument, getattr(self, argument))
        _add(wanted, "event_configuration", _event_keys(self.event_configuration))
        if self.events_enabled is not None:
            _add(wanted, "events_enabled", {EVENTS_ENABLED: self.events_enabled})
        if self.event_callback_url:
            _add(wanted, "event_callback_url", {EVENT_CALLBACK_URL: self.event_callback_url})
        _check_address(wanted.get(EVENT_CALLBACK_URL))
        return wanted

    def given_login(self) -> dict[str, Any]:
        """Return the values of a vendor's login, as the API's ``providerData``.

        :raises CloudElementsValidationError: A value is malformed, or the code belongs to another consent.
        """
        if self.authorization_code is None and self.provider_data is None:
            return {}
        for argument in ("authorization_code", "provider_data"):
            refuse_asterisks(argument, getattr(self, argument))
        login = _object("provider_data", self.provider_data)
        # Without a code nothing needs the state: a DAG skips the consent link of an instance that exists.
        unused = no_answer(self.authorization_code)
        state = None if unused else optional_text("authorization_state", self.authorization_state)
        code = read_consent(self.authorization_code, state)
        if code is not None:
            _add(login, "authorization_code", {"code": code}, where="provider_data")
        return login


def checked_name(argument: str, value: Any) -> str:
    """Check and return the name of an instance, with its ends stripped.

    :param argument: Name of the argument, for the error.
    :param value: Its value.
    :raises CloudElementsValidationError: The value is no text, blank, ``None``, or markup alone.
    """
    name = without_ends(named_text(argument, value))
    # Markup alone counts as an empty name: the platform strips it, and would make up a name.
    if not comparable_text(name):
        raise CloudElementsValidationError(f"{argument} is empty: it holds markup alone.")
    return name


def _check_address(url: Any) -> None:
    if url and not (isinstance(url, str) and is_web_url(url)):
        raise CloudElementsValidationError(
            "event_callback_url must be an absolute address that begins with https:// or http://."
        )


def chosen_element(element: Any, credentials: ElementSettings | None) -> str:
    """Return the element's key: the argument's, or the element connection's.

    :raises CloudElementsValidationError: There is none, the argument is no text, or the two differ.
    """
    element = element_key(element)
    named = credentials.element if credentials is not None else None
    if element and named and element != named:
        raise CloudElementsValidationError(
            f"element is {element!r}, but connection {credentials.conn_id!r} is for {named!r}."  # type: ignore[union-attr]
        )
    if not (element or named):
        raise CloudElementsValidationError(
            "element is missing: give it, or an element connection that names one."
        )
    return element or named  # type: ignore[return-value]  # one of them is given


def _object(argument: str, value: Any) -> dict[str, Any]:
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise CloudElementsValidationError(
            f"{argument} must be a dictionary with strings as keys; it is of type {type(value).__name__}."
        )
    return dict(value)


def _event_keys(value: Any) -> dict[str, Any]:
    keys = _object("event_configuration", value)
    foreign = sorted(key for key in keys if not key.startswith("event."))
    if foreign:
        raise CloudElementsValidationError(
            f"event_configuration takes keys that begin with 'event.'; {', '.join(foreign)} goes into "
            "configuration."
        )
    return keys


def _add(
    into: dict[str, Any], argument: str, values: Mapping[str, Any], where: str = "configuration"
) -> None:
    """Add keys; raise an error if a key is there already with another value."""
    for key, value in values.items():
        if key in into and _plain(into[key]) != _plain(value):
            raise CloudElementsValidationError(
                f"{argument} and {where} give different values for {key!r}. Give it once."
            )
        into[key] = value


def _plain(value: Any) -> str | None:
    """Return a value as comparable text: ``True``, ``"True"`` and ``"true"`` are equal."""
    text = configuration_text(value)
    return text.lower() if text in ("True", "False") else text


def _check_events(wanted: Mapping[str, Any], event_callback_url: str | None) -> None:
    url = wanted.get(EVENT_CALLBACK_URL)
    _check_address(url)
    if url and event_callback_url is None:
        raise CloudElementsValidationError(
            f"event_callback_url is None, but {EVENT_CALLBACK_URL!r} is given elsewhere in the arguments."
        )
    if str(wanted.get(EVENTS_ENABLED)).lower() == "true" and not url and event_callback_url is not None:
        raise CloudElementsValidationError(
            "events_enabled is True, but there is no event_callback_url, neither as an argument nor in the "
            "element connection. If the platform shall keep events for reading and deliver them nowhere, "
            "give event_callback_url=None. If you want no events, give events_enabled=False."
        )


def named(
    settings: ConnectionSettings,
    credentials: ElementSettings | None,
    element: Any,
    instance_name: Any,
    instance_key: Any,
    tags: Any,
) -> tuple[str, str, Identity, tuple[str, ...] | None]:
    """Check and return what names an instance: element, name, identity and tags.

    :param settings: The connection, whose namespace is part of the identity.
    :param credentials: The element connection, if there is one.
    :param element: The argument ``element``, and so on.
    :raises CloudElementsValidationError: One of them is missing or malformed.
    """
    element = chosen_element(element, credentials)
    name = checked_name("instance_name", instance_name)
    key = default_key(element, name) if instance_key is None else instance_key
    return element, name, Identity.of(settings, key), tag_list("tags", tags)


def with_more(tags: tuple[str, ...] | None, more: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return tags with some more; ``None`` stays if there are no more.

    :param tags: The tags.
    :param more: Tags to add, each once.
    """
    return tuple(dict.fromkeys([*(tags or ()), *more])) if more else tags


def tag_list(argument: str, value: Any) -> tuple[str, ...] | None:
    """Read an argument that is a list of tags or ``None``.

    :raises CloudElementsValidationError: It is something else, or a tag in it is no text, or blank.
    """
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise CloudElementsValidationError(
            f"{argument} must be a list of strings; it is of type {type(value).__name__}."
        )
    for number, tag in enumerate(value):
        if not isinstance(tag, str):
            raise CloudElementsValidationError(
                f"{argument} must be a list of strings; {argument}[{number}] is of type {type(tag).__name__}."
            )
        named_text(f"{argument}[{number}]", tag)
    return tuple(value)
