"""Change an existing instance: write only what differs, and read it back."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.arguments import dictionary, text, texts
from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.tags import Identity, own_tags, user_tags
from airflow_provider_cloudelements.client.wire.doubt import settle_seconds
from airflow_provider_cloudelements.client.wire.secrecy import is_secret_key
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsForbiddenError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.provisioning.difference import (
    Difference,
    changed_values,
    check_read_back,
    comparable_text,
    left_out,
)
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints, Known, fingerprints_of
from airflow_provider_cloudelements.provisioning.memory import CallMemory, Memory
from airflow_provider_cloudelements.provisioning.mending import Writer, needs_mending, write
from airflow_provider_cloudelements.provisioning.spec import PROVIDER_DATA, login_of

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.instances import InstancesApi

log = logging.getLogger(__name__)

#: Entry of ``changed`` for an instance that this call enabled.
ENABLED = "enabled"


@dataclass(frozen=True)
class Change:
    """Describe what an existing instance must have.

    :param name: A new name; ``None`` keeps the present one.
    :param configuration: Configuration keys and values; other keys stay.
    :param tags: All tags of people that it must have; ``None`` changes only what the next two name.
    :param add_tags: Tags that it must have as well.
    :param remove_tags: Tags that it must not have.
    """

    name: str | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tags: tuple[str, ...] | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse other types, contradictions, and changes to the tags that name an instance's identity."""
        if self.name is not None:
            text("name", self.name)
        object.__setattr__(self, "configuration", dictionary("configuration", self.configuration))
        for name in ("add_tags", "remove_tags", *([] if self.tags is None else ["tags"])):
            object.__setattr__(self, name, texts(name, getattr(self, name)))
        if self.tags is not None and (self.add_tags or self.remove_tags):
            raise CloudElementsValidationError(
                "tags replaces all tags: give either tags, or add_tags and remove_tags."
            )
        both = {comparable_text(tag) for tag in self.add_tags} & {
            comparable_text(tag) for tag in self.remove_tags
        }
        if both:
            raise CloudElementsValidationError(
                f"{', '.join(sorted(both))}: both in add_tags and remove_tags."
            )
        if own_tags([*(self.tags or ()), *self.add_tags, *self.remove_tags]):
            raise CloudElementsValidationError(
                "Tags that this provider recognises instances by are kept by itself: name people's tags only."
            )
        if self.name is not None and not comparable_text(self.name):
            raise CloudElementsValidationError("The new name is empty.")


@dataclass(frozen=True, slots=True)
class Changed:
    """Hold the result of a change.

    :param instance: The instance, as read back at the end.
    :param changed: Names of what was written, never values; empty when nothing differed.
    """

    instance: Instance
    changed: tuple[str, ...] = ()


def update(
    instances: InstancesApi, instance: Instance, change: Change, *, identity: Identity | None = None
) -> Changed:
    """Apply a change to an instance. Write only what differs.

    A fingerprint identifies a value that reads back as asterisks. Without a fingerprint, this function
    writes the value and adds one. So the same secret twice is one write, and a rotated one is one more.

    :param instances: The account's instances.
    :param instance: As read or listed just before, with its configuration. If it lacks a key that differs,
        this function reads it.
    :param change: What it must have.
    :param identity: The instance's, if its key named it: a write adds the tags of it that are missing.
    :raises CloudElementsValidationError: A value is asterisks, as the platform shows a secret.
    :raises CloudElementsServerError: The event settings read back differ from those written.
    :raises CloudElementsError: Any other failure of a call.
    """
    difference = _difference(instances, instance, change, identity)
    if left_out(difference.configuration, instance):
        instance = instances.get(instance.id)
        difference = _difference(instances, instance, change, identity)
    if not difference.names:
        return Changed(instance)
    difference = difference.with_identity(instance, identity)
    final = write(instances, instance, difference)
    check_read_back(final, change.configuration)
    return Changed(final, difference.names)


def differs(instances: InstancesApi, instance: Instance, change: Change) -> bool:
    """Return whether :func:`update` would write anything. This function makes no call.

    :param instances: The account's instances.
    :param instance: As read just before, with its configuration.
    :param change: What it must have.
    """
    return bool(_difference(instances, instance, change).names)


def _difference(
    instances: InstancesApi, instance: Instance, change: Change, identity: Identity | None = None
) -> Difference:
    fingerprints = fingerprints_of(instances, instance, identity)
    values = changed_values(change.configuration, instance, fingerprints)
    return Difference.of(
        instance, fingerprints, values, _tags(change, instance), name=_name(change, instance)
    )


def reauthenticate(
    instances: InstancesApi,
    instance: Instance,
    *,
    configuration: Mapping[str, Any],
    provider_data: Mapping[str, Any] | None = None,
    verify: bool = True,
    memory: Memory | None = None,
    settle_time: float | None = None,
    identity: Identity | None = None,
) -> Changed:
    """Write new credentials for the vendor's login to an instance; its id and token stay (fact F134).

    If the fingerprints show that the instance has these credentials already, this function writes them only
    when the instance does not work. It never sends a code twice.

    :param instances: The account's instances.
    :param instance: As read just before, with its configuration; with its token the ping costs one call, else
        two.
    :param configuration: Credentials and the keys that belong to them, by the API's names.
    :param provider_data: The result of a new login, such as ``{"code": ...}``.
    :param verify: Whether a ping checks that the vendor accepts them.
    :param memory: Remembers over tries that a code was sent, and that a disabled instance was enabled;
        default: only within this call.
    :param settle_time: Seconds to find out whether a call in doubt took place; default: the connection's
        ``create_timeout``.
    :param identity: The instance's, if its key named it: a write adds the tags of it that are missing.
    :raises CloudElementsValidationError: The arguments hold nothing that authenticates.
    :raises CloudElementsInstanceDisabledError: The vendor does not accept the credentials. If the instance
        was disabled before, this function disables it again.
    :raises CloudElementsAmbiguousCreateError: It is not known whether the platform used the code.
    :raises CloudElementsError: Any other failure of a call.
    """
    configuration = dictionary("configuration", configuration)
    provider_data = dictionary("provider_data", provider_data)
    if not provider_data and not any(is_secret_key(key) for key in configuration):
        raise CloudElementsValidationError(
            "Nothing is given that authenticates: name an element connection that holds a password, a secret "
            "or a refresh token, or give an authorization code."
        )
    fingerprints = fingerprints_of(instances, instance, identity)
    settle = settle_seconds(instances.http.settings, settle_time)
    writer = Writer(instances, fingerprints, memory or CallMemory(), settle)
    difference = _credentials(instance, fingerprints, configuration, provider_data)
    if left_out(difference.configuration, instance):
        instance = instances.peek(instance.id)
        difference = _credentials(instance, fingerprints, configuration, provider_data)
    if not difference.names:
        if instance.healthy and (not verify or _answers(instances, instance)):
            writer.mended(instance)
            return Changed(replace(instance, token=None))
        difference = _credentials(instance, fingerprints, configuration, {}, again=True)
        # If the only credential is a code that was used already, only enabling the instance is left to try.
        can_be_enabled = writer.disabled_by_us(instance) or (instance.disabled and verify)
        if not difference.names and not can_be_enabled:
            if not instance.disabled:  # unless by an earlier try
                writer.disable_again(instance)
            raise needs_mending(instance, "the authorization code given is the one that it has had already")
    difference = difference.with_identity(instance, identity)
    final = writer.give(
        instance, difference, lambda each: _answers(instances, each) if verify else each.healthy
    )
    if not final.valid:
        log.warning("Instance %d answers, but the platform does not report it as valid.", final.id)
    return Changed(replace(final, token=None), (*difference.names, *([ENABLED] if instance.disabled else [])))


def _answers(instances: InstancesApi, instance: Instance) -> bool:
    """Return whether the vendor accepts the instance's credentials."""
    try:
        instances.ping(instance.id, instance.token)
    except (CloudElementsAuthError, CloudElementsForbiddenError) as error:
        # The error does not show whose secret was refused. If it was the connection's own, this call raises.
        instances.get(instance.id)
        log.warning("Instance %d does not answer: %s", instance.id, error)
        return False
    return True


def _credentials(
    instance: Instance,
    fingerprints: Fingerprints,
    configuration: Mapping[str, Any],
    provider_data: Mapping[str, Any],
    *,
    again: bool = False,
) -> Difference:
    """Return which of the credentials to write; ``again``: all except those that read back as given."""
    values = changed_values(configuration, instance, None if again else fingerprints)
    if provider_data:
        known = fingerprints.compare(instance.tags, PROVIDER_DATA, login_of(provider_data), instance.id)
        provider_data = {} if known is Known.SAME else provider_data
    return Difference.of(instance, fingerprints, values, instance.tags, provider_data)


def _name(change: Change, instance: Instance) -> str | None:
    if change.name is None or comparable_text(change.name) == comparable_text(instance.name):
        return None
    return change.name.strip()


def _tags(change: Change, instance: Instance) -> tuple[str, ...]:
    """Return the tags that an instance must have, with its own; compare them as the platform keeps them."""
    people = user_tags(instance.tags)
    if change.tags is not None:
        if _plain(change.tags) == _plain(people):
            return instance.tags
        return tuple(dict.fromkeys([*change.tags, *own_tags(instance.tags)]))
    dropped, present = _plain(change.remove_tags), _plain(people)
    own = set(own_tags(instance.tags))
    kept = [tag for tag in instance.tags if tag in own or comparable_text(tag) not in dropped]
    added = [tag for tag in change.add_tags if comparable_text(tag) not in present]
    return tuple(dict.fromkeys([*kept, *added]))


def _plain(tags: Iterable[str]) -> set[str]:
    return {comparable_text(tag) for tag in tags}
