"""How a plan travels from the task that makes it to those that apply it: whole, in parts, or as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.wire.request import is_count
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConflictError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.fleet import Plan
from airflow_provider_cloudelements.operators._parts.whole_file import WholeFile, storage_path

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Fields of a reference to a part of a plan in a file.
_PATH, _PART, _SIZE = "plan_path", "part", "chunk_size"


def parts_of(plan: Plan, size: int, target: ObjectStoragePath | None = None) -> list[dict[str, Any]]:
    """Return a plan in parts, each of which a task can apply.

    :param plan: The plan.
    :param size: Most changes of a part.
    :param target: File for the whole plan. The parts then only name the file and their place.
    """
    if target is None:
        return [each.to_json() for each in plan.chunks(size)]
    with WholeFile(target) as file:
        # In ASCII, letter by letter: the plan's checksum covers each of its texts.
        file.write(json.dumps(plan.to_json()).encode("ascii") + b"\n")
    count = len(plan.chunks(size))
    reference = {_PATH: str(target), "checksum": plan.checksum, _SIZE: size}
    return [{**reference, _PART: number} for number in range(count)]


def plans_in(given: Any) -> Iterator[Plan]:
    """Yield the plans that a task was given.

    :param given: What :func:`parts_of` returned, one part of it, or a plan as JSON, as an object or a text.
    :raises CloudElementsConflictError: The file holds another plan than the one that the reference names.
    :raises CloudElementsValidationError: It is no plan.
    """
    if isinstance(given, str | bytes | Mapping):
        yield _plan(given)
        return
    if not isinstance(given, Sequence):
        raise CloudElementsValidationError(
            "plan must be what CloudElementsPlanInstancesOperator returned, or one element of it; it is of "
            f"type {type(given).__name__}."
        )
    for each in given:
        yield _plan(each)


def _plan(given: Any) -> Plan:
    if not isinstance(given, Mapping) or _PATH not in given:
        return Plan.from_json(given)
    try:
        path, checksum, part, size = (given[name] for name in (_PATH, "checksum", _PART, _SIZE))
    except KeyError as error:
        raise CloudElementsValidationError(f"The reference to a plan lacks {error.args[0]!r}.") from None
    plan = _read(path)
    if plan.checksum != checksum:
        raise CloudElementsConflictError(
            "The file of the plan holds another plan by now. Clear the task that plans, too. Nothing was "
            "changed."
        )
    parts = plan.chunks(size)
    if not is_count(part, 0, len(parts) - 1):
        raise CloudElementsValidationError(f"The plan has {len(parts)} parts, and the reference names none.")
    return parts[part]


def _read(path: Any) -> Plan:
    text: bytes | None = None
    try:
        text = storage_path(path, _PATH).read_bytes()
    except OSError:
        pass  # raised below: the error's text could hold a login
    if text is None:
        raise CloudElementsValidationError("The file of the plan cannot be read.")
    return Plan.from_json(text)
