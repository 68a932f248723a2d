"""Changing an instance that exists: only what differs is written, and read back."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.tags import own_tags, user_tags
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
    plain_text,
)
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints, Known, fingerprints_of
from airflow_provider_cloudelements.provisioning.memory import Journal, MemoryJournal
from airflow_provider_cloudelements.provisioning.mending import Writer, needs_mending, send
from airflow_provider_cloudelements.provisioning.spec import PROVIDER_DATA, login_of

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.instances import InstancesApi

log = logging.getLogger(__name__)

#: What ``changed`` says of an instance that was disabled, and is no more.
ENABLED = "enabled"


@dataclass(frozen=True)
class Change:
    """What an existing instance shall have.

    :param name: A new name; ``None`` leaves it.
    :param configuration: Configuration keys and values; others stay.
    :param tags: All tags of people's that it shall have; ``None`` leaves them but for the next two.
    :param add_tags: Tags that it shall have as well.
    :param remove_tags: Tags that it shall not have.
    """

    name: str | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tags: tuple[str, ...] | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, or would lose what an instance is recognised by."""
        if self.tags is not None and (self.add_tags or self.remove_tags):
            raise CloudElementsValidationError("tags replaces all; add_tags and remove_tags go without it.")
        both = {plain_text(tag) for tag in self.add_tags} & {plain_text(tag) for tag in self.remove_tags}
        if both:
            raise CloudElementsValidationError(
                f"{', '.join(sorted(both))}: both in add_tags and remove_tags."
            )
        if own_tags([*(self.tags or ()), *self.add_tags, *self.remove_tags]):
            raise CloudElementsValidationError(
                "Tags that this provider recognises instances by are kept by itself: name people's tags only."
            )
        if self.name is not None and not plain_text(self.name):
            raise CloudElementsValidationError("The new name is empty.")


@dataclass(frozen=True, slots=True)
class Changed:
    """What came of it.

    :param instance: The instance, as read back at the end.
    :param changed: Names of what was written, never values; empty when it was as asked already.
    """

    instance: Instance
    changed: tuple[str, ...] = ()


def update(instances: InstancesApi, instance: Instance, change: Change) -> Changed:
    """Make an instance as asked. What is so already is not written.

    A value that reads back as asterisks is known by its fingerprint; without one it is written, and leaves
    one. So the same secret twice is one write, and a rotated one is one more.

    :param instances: The account's instances.
    :param instance: As read just before, with its configuration.
    :param change: What it shall have.
    :raises CloudElementsValidationError: A value is asterisks, as the platform shows a secret.
    :raises CloudElementsServerError: What was written about events does not read back.
    :raises CloudElementsError: Any other failure of a call.
    """
    fingerprints = fingerprints_of(instances, instance)
    values = changed_values(change.configuration, instance, fingerprints)
    difference = Difference.of(
        instance, fingerprints, values, _tags(change, instance), name=_name(change, instance)
    )
    if not difference.names:
        return Changed(instance)
    send(instances, instance, difference)
    final = instances.get(instance.id)
    check_read_back(final, change.configuration)
    return Changed(final, difference.names)


def reauthenticate(
    instances: InstancesApi,
    instance: Instance,
    *,
    configuration: Mapping[str, Any],
    provider_data: Mapping[str, Any] | None = None,
    verify: bool = True,
    journal: Journal | None = None,
    settle_time: float | None = None,
) -> Changed:
    """Give an instance what its vendor's login needs now; id and token stay (fact F134).

    Credentials that it has already, by their fingerprints, are written only to one that does not work; a
    code never goes out twice.

    :param instances: The account's instances.
    :param instance: As read just before, with its configuration.
    :param configuration: Credentials and what goes with them, by the API's names.
    :param provider_data: What a new login gave, such as ``{"code": ...}``.
    :param verify: Whether the vendor is asked, by a ping, that it accepts them.
    :param journal: Remembers over tries that a code was sent, and that a disabled instance was enabled;
        default: only within this call.
    :param settle_time: Seconds to find out whether a call in doubt took place; default: the connection's
        ``create_timeout``.
    :raises CloudElementsValidationError: Nothing is given that authenticates.
    :raises CloudElementsInstanceDisabledError: The vendor does not accept what is given. The instance is
        then disabled if it was so before.
    :raises CloudElementsAmbiguousCreateError: It is not known whether the code was used.
    :raises CloudElementsError: Any other failure of a call.
    """
    if not provider_data and not any(is_secret_key(key) for key in configuration):
        raise CloudElementsValidationError(
            "Nothing is given that authenticates: name an element connection that holds a password, a secret "
            "or a refresh token, or give an authorization code."
        )
    fingerprints = fingerprints_of(instances, instance)
    settle = instances.http.settings.create_timeout if settle_time is None else settle_time
    writer = Writer(instances, fingerprints, journal or MemoryJournal(), settle)
    difference = _credentials(instance, fingerprints, configuration, provider_data or {})
    if not difference.names:
        if instance.healthy and (not verify or _answers(instances, instance)):
            writer.mended(instance)
            return Changed(instance)
        difference = _credentials(instance, fingerprints, configuration, {}, again=True)
        # With nothing but a code that was used already, enabling it is all that is left to try.
        if not difference.names and not (instance.disabled and verify):
            if not instance.disabled:  # unless by an earlier try
                writer.disable_again(instance)
            raise needs_mending(instance, "the authorization code given is the one that it has had already")
    writer.write(instance, difference)
    final = instances.get(instance.id)
    if writer.enabled_again(instance, final):
        final = instances.get(instance.id)
    if not (_answers(instances, final) if verify else final.healthy):
        writer.disable_again(instance)
        raise needs_mending(final, "the credentials given did not mend it")
    writer.mended(final)
    if not final.valid:
        log.warning("Instance %d answers, though the platform does not call it valid.", final.id)
    return Changed(final, (*difference.names, *([ENABLED] if instance.disabled else [])))


def _answers(instances: InstancesApi, instance: Instance) -> bool:
    """Say whether the vendor takes what the instance has."""
    try:
        instances.ping(instance.id)
    except (CloudElementsAuthError, CloudElementsForbiddenError) as error:
        # The error cannot tell whose secret it was: where the connection's own no longer count, this raises.
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
    """Return what of the credentials given is to be written; ``again`` all but what reads back as given."""
    values = changed_values(configuration, instance, None if again else fingerprints)
    if provider_data:
        known = fingerprints.compare(instance.tags, PROVIDER_DATA, login_of(provider_data))
        provider_data = {} if known is Known.SAME else provider_data
    return Difference.of(instance, fingerprints, values, instance.tags, provider_data)


def _name(change: Change, instance: Instance) -> str | None:
    if change.name is None or plain_text(change.name) == plain_text(instance.name):
        return None
    return change.name.strip()


def _tags(change: Change, instance: Instance) -> tuple[str, ...]:
    """Return the tags that an instance shall have, its own among them; compared as the platform keeps it."""
    people = user_tags(instance.tags)
    if change.tags is not None:
        if _plain(change.tags) == _plain(people):
            return instance.tags
        return tuple(dict.fromkeys([*change.tags, *own_tags(instance.tags)]))
    dropped, present = _plain(change.remove_tags), _plain(people)
    own = set(own_tags(instance.tags))
    kept = [tag for tag in instance.tags if tag in own or plain_text(tag) not in dropped]
    added = [tag for tag in change.add_tags if plain_text(tag) not in present]
    return tuple(dict.fromkeys([*kept, *added]))


def _plain(tags: Iterable[str]) -> set[str]:
    return {plain_text(tag) for tag in tags}
