"""Compare a manifest with the account, in one reading of its list."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from airflow_provider_cloudelements.client.plain import plain_text
from airflow_provider_cloudelements.client.tags import namespace_tag
from airflow_provider_cloudelements.client.wire.parallel import read_ahead
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.fleet.changes import Change, Note
from airflow_provider_cloudelements.fleet.lookalikes import alike
from airflow_provider_cloudelements.fleet.manifest import Manifest
from airflow_provider_cloudelements.fleet.matching import CalledLately, Matching
from airflow_provider_cloudelements.fleet.plans import Plan
from airflow_provider_cloudelements.fleet.safety import Safety
from airflow_provider_cloudelements.fleet.wanted import Credentials, wanted_of

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client import CloudElementsClient
    from airflow_provider_cloudelements.client.instances import InstancesApi


def plan(
    client: CloudElementsClient,
    manifest: Manifest,
    credentials: Credentials,
    *,
    prune: bool = False,
    adopt: bool = False,
    safety: Safety | None = None,
    called_lately: CalledLately | None = None,
) -> Plan:
    """Compare a manifest with the account. Nothing is written.

    The function reads the list of instances once, and calls nothing else, unless the list leaves out what a
    comparison needs.

    :param client: The account's client.
    :param manifest: The manifest.
    :param credentials: Function that reads an element connection by its id.
    :param prune: Whether to delete instances of this namespace that carry the ownership tag and that no row
        names.
    :param adopt: Whether rows may take over instances of the same name and element that have no key yet, and
        instances of their key that lack the ownership tag.
    :param safety: Limits. Default: :class:`~.safety.Safety`.
    :param called_lately: Function that says whether an instance was called lately, which makes its delete
        grave. The platform does not say it. Default: only instances with events on count as used.
    :raises CloudElementsManifestError: The manifest has problems, by itself or with the connections. The
        error lists all of them, and nothing was called.
    :raises CloudElementsValidationError: ``prune`` is set, and the manifest has no ownership tag.
    :raises CloudElementsError: The list could not be read whole.
    """
    with _no_collection():
        return _planned(client, manifest, credentials, prune, adopt, safety or Safety(), called_lately)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector away: a plan makes thousands of objects that stay, and no circles of them.

    The collector would walk through all of Airflow's objects again and again, for a third of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _planned(
    client: CloudElementsClient,
    manifest: Manifest,
    credentials: Credentials,
    prune: bool,
    adopt: bool,
    safety: Safety,
    called_lately: CalledLately | None,
) -> Plan:
    settings = client.settings
    wanted = wanted_of(manifest, settings, credentials, adopt=adopt)
    tag = manifest.ownership_tag
    if prune and tag is None:
        raise CloudElementsValidationError(
            "prune needs an ownership_tag: nothing else shows what may be deleted."
        )
    matching = Matching(
        wanted, tag, namespace_tag(settings.namespace), prune=prune, called_lately=called_lately
    )
    see_all(client.instances, matching)
    changes: list[Change] = []
    notes = list(alike(wanted))
    unchanged = matched = left = 0
    for match in matching.matches():
        matched += match.kept is not None
        notes += match.compared.notes
        if (change := match.compared.change) is not None:
            changes.append(change)
        elif match.compared.left:
            left += 1
        else:
            unchanged += match.kept is not None
    notes += _of_others(tag, matching.foreign if prune else 0)
    managed = matched if tag is None else matching.covered
    violations = safety.violations(changes, managed, rows=len(manifest.rows))
    return Plan(
        tuple(changes),
        tuple(notes),
        violations,
        unchanged,
        left,
        matching.listed,
        managed,
        tag,
        settings.base_url,
        plain_text(settings.namespace),
    )


def _of_others(tag: str | None, foreign: int) -> list[Note]:
    if tag is None or not foreign:
        return []
    what = "instance has" if foreign == 1 else "instances have"
    text = f"{foreign} {what} this ownership tag and another namespace. A plan of this one leaves them alone."
    return [Note(plain_text(tag), text)]


def see_all(instances: InstancesApi, matching: Matching) -> None:
    """Show all instances of the account to a matching, and read those of which the list shows too little.

    :param instances: The account's instances.
    :param matching: The matching.
    :raises CloudElementsError: The list could not be read whole.
    """
    with closing(read_ahead(instances.pages())) as pages:
        for page in pages:
            matching.see(page)
    matching.read_rest(instances)
