"""Create and update instances: a call applies all of its changes, or none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from airflow_provider_cloudelements.sandbox.core.errors import bad_request
from airflow_provider_cloudelements.sandbox.elements.catalogue import REFRESH_TOKEN, USER_TOKEN, Element
from airflow_provider_cloudelements.sandbox.instances.fields import (
    read_code,
    read_configuration,
    read_element,
    read_external,
    read_name,
    read_tags,
    refuse_proxy,
)
from airflow_provider_cloudelements.sandbox.instances.sessions import Sessions
from airflow_provider_cloudelements.sandbox.instances.store import Instance, Store
from airflow_provider_cloudelements.sandbox.settings import Behaviour
from airflow_provider_cloudelements.sandbox.vendors.store import Grant, Vendor, new_secret


def masked_keys(element: Element, behaviour: Behaviour) -> frozenset[str]:
    """Return the names of the configuration keys that read back as asterisks.

    :param element: the instance's element.
    :param behaviour: the settings, which may name further keys.
    """
    return element.masked.union(behaviour.masked_keys) if behaviour.masked_keys else element.masked


def missing_keys(element: Element, configuration: dict[str, str | None], external: str) -> list[str]:
    """Return the required configuration keys that have no value.

    :param element: the instance's element.
    :param configuration: the configuration that the instance would have.
    :param external: none or initial; initial needs a refresh token instead of a callback URL (fact F131).
    """
    required = {name for name, key in element.keys.items() if key.required}
    if external == "initial":
        required = required - {"oauth.callback.url"} | {REFRESH_TOKEN}
    return sorted(name for name in required if not configuration.get(name))


class Provisioning:
    """Create and update instances for the calls.

    :param behaviour: returns the sandbox's current settings.
    :param vendor: checks the credentials and redeems the codes.
    :param store: keeps the instances.
    :param sessions: keep the instances' sessions at their vendors.
    :param follow: called with an instance after any change to it.
    """

    def __init__(
        self,
        behaviour: Callable[[], Behaviour],
        vendor: Vendor,
        store: Store,
        sessions: Sessions,
        follow: Callable[[Instance], None],
    ) -> None:
        self._behaviour = behaviour
        self._vendor = vendor
        self._store = store
        self._sessions = sessions
        self._follow = follow

    def create(self, element: Element, body: dict[str, Any]) -> Instance:
        """Check a body, authenticate with the vendor and keep a new instance (F164 to F166; C161, C169).

        :param element: its element.
        :param body: the request's body.
        """
        refuse_proxy(body)
        behaviour = self._behaviour()
        name, tags = read_name(body), read_tags(body)
        given = read_configuration(body, behaviour, masked_keys(element, behaviour))
        external = read_external(body, element) or "none"
        code = read_code(body)
        configuration = {**element.defaults, **given}
        missing = missing_keys(element, configuration, external)
        if missing:
            raise bad_request(f"Missing required configuration: {', '.join(missing)}")
        grant = None
        if element.authentication != "oauth2":
            self._vendor.check(element, configuration, behaviour.vendor_refusal_status)
        elif external == "initial":
            grant = self._vendor.refresh(element, configuration, behaviour.vendor_refusal_status)
        elif code is None:
            raise bad_request("Missing required field providerData.code")
        else:
            grant = self._redeem(element, code, configuration)
        _keep_grant(configuration, grant)
        name = name or element.name
        instance = self._store.add(
            element,
            name,
            # Without tags the instance gets one tag that equals its name (fact F172).
            [name] if tags is None else tags,
            configuration,
            external,
            body.get("providerData") if behaviour.echo_provider_data else None,
        )
        self._sessions.open(instance)
        self._follow(instance)
        return instance

    def update(self, instance: Instance, body: dict[str, Any], *, authenticate: bool = True) -> None:
        """Change an instance as PUT and PATCH do.

        Fields that the body does not name stay, with PUT too (choice C163, fact F183). Tags in the body
        replace the tags (F181). Configuration in the body merges with the configuration (F182).

        :param instance: the instance.
        :param body: the request's body.
        :param authenticate: whether to redeem a code; False for ``reAuthenticate=false`` (fact F138).
        """
        element = read_element(body) or instance.element
        behaviour = self._behaviour()
        name, tags = read_name(body), read_tags(body)
        given = read_configuration(body, behaviour, masked_keys(element, behaviour))
        external = read_external(body, element)
        code = read_code(body)
        trace_logging = body.get("traceLoggingEnabled")
        grant = None
        # A basic element accepts providerData and ignores it (fact F135).
        if code is not None and authenticate and element.authentication == "oauth2":
            grant = self._redeem(element, code, {**instance.configuration, **given})

        if element is not instance.element:
            self._store.set_element(instance, element)
            instance.tables.clear()
        if name:
            instance.name = name
        if tags is not None:
            self._store.set_tags(instance, tags)
        if external is not None:
            instance.external = external
        # A client that sends the whole object back does not prolong trace logging that has an end.
        if isinstance(trace_logging, bool) and trace_logging is not instance.trace_logging:
            instance.trace_until = math.inf if trace_logging else 0.0
        self.configure(instance, given, grant)
        if grant is not None:
            instance.provider_data = None

    def configure(
        self, instance: Instance, changes: dict[str, str | None], grant: Grant | None = None
    ) -> None:
        """Merge configuration values and the vendor's tokens into an instance.

        A changed credential does not fail the call. It decides whether the instance is valid from now on
        (choice C131).

        :param instance: the instance.
        :param changes: values by key.
        :param grant: the tokens that the vendor gave for a code, or None.
        """
        before = instance.configuration.get(REFRESH_TOKEN)
        instance.configuration.update(changes)
        after = instance.configuration.get(REFRESH_TOKEN)
        if grant is None and after and after != before and self._sessions.problem(instance) is None:
            # The access token of another grant is useless with a new refresh token (choice C125).
            grant = Grant(new_secret(), after)
        if grant is None:
            self._sessions.judge(instance)
        else:
            _keep_grant(instance.configuration, grant)
            self._sessions.open(instance)
        self._follow(instance)

    def _redeem(self, element: Element, code: str, configuration: dict[str, str | None]) -> Grant:
        """Exchange a code at the vendor under the sandbox's settings."""
        behaviour = self._behaviour()
        return self._vendor.redeem(
            element, code, configuration, behaviour.code_lifetime, behaviour.vendor_refusal_status
        )


def _keep_grant(configuration: dict[str, str | None], grant: Grant | None) -> None:
    """Store the vendor's tokens in the configuration, as the platform does."""
    if grant is not None:
        configuration[USER_TOKEN] = grant.token
        configuration[REFRESH_TOKEN] = grant.refresh_token
