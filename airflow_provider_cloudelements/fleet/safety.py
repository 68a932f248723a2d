"""Decide whether a plan is safe, by the rules of octoDNS: limits, and a class of what is always grave."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from airflow_provider_cloudelements.client.arguments import whole_number
from airflow_provider_cloudelements.client.wire.request import is_number
from airflow_provider_cloudelements.exceptions import (
    CloudElementsUnsafePlanError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.fleet.changes import DELETING, Change, Kind

#: Names of the rules, by which one can be forced.
UPDATES, DELETES, GRAVE = "updates", "deletes", "grave"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a plan breaks.

    :param rule: ``updates``, ``deletes`` or ``grave``.
    :param force: What ``force`` must name to allow it: the rule, or the key of the grave change.
    :param text: What breaks it.
    """

    rule: str
    force: str
    text: str


@dataclass(frozen=True, slots=True)
class Safety:
    """Limits of a plan. A create counts towards none.

    :param max_updates: Most existing instances that a plan may change in place; ``None``: no limit.
    :param max_update_percent: The same in per cent of the instances that are managed. Default: 30.
    :param max_deletes: Most instances that it may delete or replace; ``None``: no limit.
    :param max_delete_percent: The same in per cent. Default: 30.
    :param least: The limits in per cent do not count if fewer instances than that are managed. Default: 10.
    :raises CloudElementsValidationError: A limit is out of bounds.
    """

    max_updates: int | None = None
    max_update_percent: float = 30.0
    max_deletes: int | None = None
    max_delete_percent: float = 30.0
    least: int = 10

    def __post_init__(self) -> None:
        """Refuse what limits nothing by mistake."""
        for name in ("max_updates", "max_deletes", "least"):
            value = getattr(self, name)
            if value is None and name != "least":
                continue
            # As operator and command line call it.
            whole_number("limits_from" if name == "least" else name, value, 0)
        for name in ("max_update_percent", "max_delete_percent"):
            value = getattr(self, name)
            if not is_number(value, most=100):
                raise CloudElementsValidationError(f"{name} must be a number from 0 to 100.")

    def violations(
        self, changes: Iterable[Change], existing: int, *, rows: int | None = None
    ) -> tuple[Violation, ...]:
        """Return the rules that changes break.

        :param changes: The changes.
        :param existing: How many managed instances exist.
        :param rows: How many rows the manifest has. Without any, a delete is not safe, however few instances
            there are: a query that returned nothing looks the same as a wish to delete all.
        """
        changes = list(changes)
        deletes = sum(each.kind in DELETING for each in changes)
        updates = sum(each.kind is not Kind.CREATE for each in changes) - deletes
        found = [
            *self._broken(
                UPDATES, "changes in place", updates, self.max_updates, self.max_update_percent, existing
            ),
            *self._broken(DELETES, "deletes", deletes, self.max_deletes, self.max_delete_percent, existing),
        ]
        if rows == 0 and deletes and not any(each.rule == DELETES for each in found):
            text = f"{deletes} deletes by a manifest without any row."
            found.append(Violation(DELETES, DELETES, text))
        for each in changes:
            if each.grave is not None:
                text = f"{each.key}: {each.kind} of instance {each.instance_id} ({each.grave})."
                found.append(Violation(GRAVE, each.key, text))
        return tuple(found)

    def _broken(
        self, rule: str, what: str, number: int, most: int | None, percent: float, existing: int
    ) -> Iterable[Violation]:
        if most is not None and number > most:
            yield Violation(rule, rule, f"{number} {what}, more than {most}.")
        elif existing >= self.least and number * 100 > percent * existing:
            share = number * 100 / existing
            yield Violation(
                rule,
                rule,
                f"{number} {what} of {existing} managed instances: {share:.1f} %, more than {percent:g} %.",
            )


def refuse_unsafe(violations: Collection[Violation], force: Collection[str]) -> None:
    """Refuse a plan that breaks rules which nobody forced.

    :param violations: The rules that it breaks.
    :param force: Names of what is allowed nevertheless: ``updates``, ``deletes``, and the keys of grave
        changes.
    :raises CloudElementsValidationError: ``force`` is a switch or one text, and no collection of names.
    :raises CloudElementsUnsafePlanError: A rule is broken and not forced. The error lists all of them.
    """
    named = isinstance(force, Collection) and not isinstance(force, str)
    if not named or not all(isinstance(each, str) for each in force):
        raise CloudElementsValidationError(
            "force must be a list of names: updates, deletes, keys of grave changes."
        )
    left = [each for each in violations if each.force not in force]
    if left:
        lines = "\n".join(f"  {each.text} To allow it, force {each.force!r}." for each in left)
        raise CloudElementsUnsafePlanError(f"The plan is not safe, and nothing was changed:\n{lines}")
