"""Write a plan for people. Everything that comes from elsewhere is one line, and steers no terminal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from airflow_provider_cloudelements.client.wire.secrecy import one_line
from airflow_provider_cloudelements.fleet.changes import Change, FieldChange, Kind, Note
from airflow_provider_cloudelements.fleet.safety import Violation

#: Most characters of a value.
_MOST = 80


def table(
    changes: Sequence[Change],
    notes: Sequence[Note],
    violations: Sequence[Violation],
    unchanged: int,
    left: int,
) -> str:
    """Return a plan as a table of texts.

    :param changes: The changes.
    :param notes: What could not be compared.
    :param violations: The rules that it breaks.
    :param unchanged: How many instances are as their rows say.
    :param left: How many are not, and are left so on purpose.
    """
    rows = [
        (str(each.kind), one_line(each.key), one_line(each.element), str(each.instance_id or "new"), detail)
        for each in changes
        for detail in [_details(each)]
    ]
    lines = list(_aligned([("change", "key", "element", "id", "what"), *rows])) if rows else []
    lines += [f"note: {one_line(each.key)}: {one_line(each.text)}" for each in notes]
    lines += [f"not safe: {one_line(each.text)}" for each in violations]
    lines.append(summary(changes, unchanged, left))
    return "\n".join(lines)


def markdown(
    changes: Sequence[Change],
    notes: Sequence[Note],
    violations: Sequence[Violation],
    unchanged: int,
    left: int,
) -> str:
    """Return a plan in Markdown. The parameters are those of :func:`table`."""
    lines = [f"**{summary(changes, unchanged, left)}**"]
    # First what a person must know to approve it: the end of a long plan may be cut off.
    lines += _listed("Not safe", [each.text for each in violations])
    if changes:
        rows = (
            (str(each.kind), each.key, each.element, str(each.instance_id or "new"), _details(each))
            for each in changes
        )
        lines += ["", *markdown_table(("change", "key", "element", "id", "what"), rows)]
    lines += _listed(
        "Notes: what is left alone, not comparable, or doubtful",
        [f"{each.key}: {each.text}" for each in notes],
    )
    return "\n".join(lines)


def _listed(title: str, texts: Sequence[str]) -> list[str]:
    return ["", f"{title}:", "", *(f"- {escaped(each)}" for each in texts)] if texts else []


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown.

    :param head: The heads of the columns.
    :param rows: The cells, as plain texts.
    """
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(map(escaped, row))} |"


def escaped(text: str) -> str:
    """Return a text as one line of Markdown that shows it as it is."""
    line = one_line(text)
    for char in "\\`*_[]<>|#":
        line = line.replace(char, f"\\{char}")
    return line


def summary(changes: Iterable[Change], unchanged: int, left: int) -> str:
    """Return how many instances change, by kind, and how many do not, in one sentence."""
    counts = Counter(each.kind for each in changes)
    told = [f"{counts[kind]} to {kind}" for kind in Kind if counts[kind]]
    rest = f", {left} left alone" if left else ""
    return f"{', '.join(told) if told else 'Nothing to change'}; {unchanged} unchanged{rest}."


def _details(change: Change) -> str:
    told = [f"name: {_value(change.name)}"] if change.kind is Kind.CREATE else []
    told += [_field(each) for each in change.fields]
    told += [each for each in (change.why, change.grave and f"grave: {change.grave}") if each]
    return "; ".join(told)


def _field(field: FieldChange) -> str:
    return f"{one_line(field.name)}: {_value(field.before)} -> {_value(field.after)}"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = one_line(text)
    return line if len(line) <= _MOST else f"{line[: _MOST - 3]}..."


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]]).rstrip()
