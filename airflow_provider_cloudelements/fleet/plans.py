"""A plan: data that a person can read and approve, and that apply repeats. It holds no secret."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_provider_cloudelements.client.wire.request import is_count
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.fleet.changes import DELETING, Change, Note, require_types
from airflow_provider_cloudelements.fleet.render import markdown, table
from airflow_provider_cloudelements.fleet.safety import Violation

#: Form of a plan as JSON.
VERSION = 1


@dataclass(frozen=True)
class Plan:
    """What would change, and what would not.

    :param changes: The changes.
    :param notes: What could not be compared, and what is left alone on purpose.
    :param violations: Rules of safety that it breaks.
    :param unchanged: How many instances are as their rows say.
    :param left: How many are not, and are left so on purpose. The notes say why.
    :param listed: How many instances the account has.
    :param managed: How many of them are managed.
    :param ownership_tag: The ownership tag.
    :param base_url: Origin of the platform that it was made for.
    :param namespace: Namespace of the connection that it was made with.
    :param whole: Checksum of the whole plan, if this is a part of one.
    """

    changes: tuple[Change, ...] = ()
    notes: tuple[Note, ...] = ()
    violations: tuple[Violation, ...] = ()
    unchanged: int = 0
    left: int = 0
    listed: int = 0
    managed: int = 0
    ownership_tag: str | None = None
    base_url: str = ""
    namespace: str = ""
    whole: str | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return not self.changes

    @property
    def clean(self) -> bool:
        """Whether all instances are as the manifest says: nothing would change, and nothing is left alone."""
        return self.empty and not self.left

    @property
    def safe(self) -> bool:
        """Whether no rule of safety is broken."""
        return not self.violations

    @property
    def counts(self) -> dict[str, int]:
        """How many changes there are, by kind."""
        return {str(kind): number for kind, number in Counter(each.kind for each in self.changes).items()}

    @property
    def all_counts(self) -> dict[str, int]:
        """The same with ``unchanged``, and with ``left`` if anything is left alone."""
        return {**self.counts, "unchanged": self.unchanged, **({"left": self.left} if self.left else {})}

    @property
    def deletes(self) -> int:
        """How many instances it deletes or replaces."""
        return sum(each.kind in DELETING for each in self.changes)

    @property
    def checksum(self) -> str:
        """Checksum of all that it would do: apply must be given it."""
        return self._checksum(self._content())

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON, fit for XCom and for a file. :meth:`from_json` reads it."""
        content = self._content()
        return {**content, "counts": self.all_counts, "checksum": self._checksum(content)}

    def _content(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "base_url": self.base_url,
            "namespace": self.namespace,
            "ownership_tag": self.ownership_tag,
            "whole": self.whole,
            "listed": self.listed,
            "managed": self.managed,
            "unchanged": self.unchanged,
            "left": self.left,
            "changes": [each.as_json() for each in self.changes],
            "notes": [asdict(each) for each in self.notes],
            "violations": [asdict(each) for each in self.violations],
        }

    def _checksum(self, content: Mapping[str, Any]) -> str:
        # How many other instances the account has does not change what the plan does.
        told = {name: value for name, value in content.items() if name not in _NUMBERS}
        text = json.dumps(told, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @classmethod
    def from_json(cls, made: Any) -> Plan:
        """Make a plan of what :meth:`to_json` returned.

        :param made: The dictionary, or its text.
        :raises CloudElementsValidationError: It is no plan, or of another version, or it was changed since.
        """
        if isinstance(made, str | bytes):
            try:
                made = json.loads(made)
            except (ValueError, RecursionError):
                raise CloudElementsValidationError(f"This is no plan: it is not JSON. {_PLAN}") from None
        if not isinstance(made, Mapping) or made.get("version") != VERSION:
            raise CloudElementsValidationError(f"This is no plan of version {VERSION}. {_PLAN}")
        plan: Plan | None = None
        try:
            read = cls(
                tuple(Change.from_json(each) for each in made["changes"]),
                tuple(Note(**each) for each in made["notes"]),
                tuple(Violation(**each) for each in made["violations"]),
                **{name: made[name] for name in _PLAIN},
            )
            read._check()
            plan = read
        except (KeyError, TypeError, ValueError, AttributeError):
            pass  # raised below: the error's text could hold a value
        if plan is None:
            raise CloudElementsValidationError("This is no plan: something in it is missing or malformed.")
        if plan.checksum != made.get("checksum"):
            raise CloudElementsValidationError("The plan does not fit its own checksum: it was changed.")
        return plan

    def _check(self) -> None:
        """Check what came as JSON, but for the changes, which check themselves.

        :raises TypeError: Something is of another type.
        """
        require_types(int, *(getattr(self, name) for name in _NUMBERS))
        require_types(str, self.base_url, self.namespace)
        require_types(str | None, self.ownership_tag, self.whole)
        require_types(str, *(text for each in self.notes for text in (each.key, each.text)))
        require_types(int | None, *(each.instance_id for each in self.notes))
        require_types(str, *(text for each in self.violations for text in (each.rule, each.force, each.text)))

    def chunks(self, size: int) -> list[Plan]:
        """Split the plan, so that tasks can apply its parts beside each other.

        :param size: Most changes of a part.
        :return: Plans with checksums of their own. Each names the whole plan's, and the rules that the whole
            plan breaks.
        :raises CloudElementsValidationError: The size is no whole number above 0.
        """
        if not is_count(size, 1):
            raise CloudElementsValidationError("size must be a whole number above 0.")
        whole = self.checksum
        parts = (self.changes[start : start + size] for start in range(0, len(self.changes), size))
        return [replace(self, changes=part, notes=(), unchanged=0, left=0, whole=whole) for part in parts]

    def table(self) -> str:
        """Return the plan as a table for a terminal or a log."""
        return table(self.changes, self.notes, self.violations, self.unchanged, self.left)

    def markdown(self) -> str:
        """Return the plan in Markdown, for a review or a person's approval."""
        return markdown(self.changes, self.notes, self.violations, self.unchanged, self.left)


_PLAN = "A plan is what CloudElementsPlanInstancesOperator returned, or what plan --json printed."
_NUMBERS = ("unchanged", "left", "listed", "managed")
_PLAIN = (*_NUMBERS, "ownership_tag", "base_url", "namespace", "whole")
