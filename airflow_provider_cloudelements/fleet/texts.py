"""Read YAML and JSON so that each scalar is the text that stands there, with the line of each field.

A YAML loader makes ``False`` of the key ``no``, 83 of ``0123``, 45045 of ``12:30:45`` and 1000.0 of ``1e3``.
Here a scalar stays a text. Who reads a field says what it must be: :mod:`.fields`.
"""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_cloudelements.fleet.json_texts import read_json
from airflow_provider_cloudelements.fleet.located import MOST_LEVELS, Located, Plain
from airflow_provider_cloudelements.fleet.problems import Place, Problem

_BRACKET = re.compile(r"[\[\]{}]")
#: The begin of a line that may stand below as many levels as it has characters.
_INDENTED = re.compile(rf"^[ \-?:]{{{MOST_LEVELS}}}", re.MULTILINE)
_MERGE = "<<"
#: Characters that YAML 1.1 takes for the end of a line, and YAML 1.2 for a part of the text.
_LINE_ENDS = re.compile("[\x85\u2028\u2029]")
_TEXT_TAG = "tag:yaml.org,2002:str"
_PLAIN_TAGS = {
    "scalar": (_TEXT_TAG, "!"),
    "mapping": ("tag:yaml.org,2002:map", "!"),
    "sequence": ("tag:yaml.org,2002:seq", "!"),
}


def read_text(text: str, source: str) -> tuple[Any, list[Problem]]:
    """Read a document of YAML or JSON.

    :param text: The document.
    :param source: Its name, for problems. If it ends with ``.json``, the text must be JSON.
    :return: The value (``Located``, a list, a text, or ``None`` if there is none), and what is wrong with it.
    """
    import yaml  # type: ignore[import-untyped]

    if source.lower().endswith(".json"):
        return read_json(text, source)
    if (found := _LINE_ENDS.search(text)) is not None:
        return None, [_line_end(text, found, source)]
    problems: list[Problem] = []
    try:
        if _may_be_deep(text) and _is_deep(text):
            raise RecursionError
        node = yaml.compose(text, Loader=_loader())
        value = None if node is None else _Reader(source, problems).value(node, 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        what = error.problem or error.context or "it cannot be read"
        return None, [*problems, Problem(Place(source, line), f"this is not YAML: {what}.")]
    except (yaml.YAMLError, UnicodeEncodeError):  # the latter: half of a surrogate
        return None, [
            *problems,
            Problem(Place(source), "this is not YAML: it holds a character that YAML forbids."),
        ]
    except RecursionError:
        return None, [*problems, Problem(Place(source), "it is nested too deeply.")]
    return value, problems


def _line_end(text: str, found: re.Match[str], source: str) -> Problem:
    code = f"{ord(found[0]):04x}"
    return Problem(
        Place(source, text.count("\n", 0, found.start()) + 1),
        f"it holds the character U+{code.upper()}, which some readers of YAML take for the end of a line. "
        f"Write it as \\u{code} within double quotes.",
    )


def _may_be_deep(text: str) -> bool:
    """Return whether a document may be nested too deeply. Brackets inside of texts count as well."""
    depth = 0
    for found in _BRACKET.finditer(text):
        depth += 1 if found[0] in "[{" else -1
        if depth > MOST_LEVELS:
            return True
    return _INDENTED.search(text) is not None


def _is_deep(text: str) -> bool:
    """Return whether a document is nested so deeply that libyaml would end the process."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=_loader()):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MOST_LEVELS:
                return True
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return False


def _loader() -> Any:
    """Return a loader that resolves nothing: a tag other than text is then one that the file writes."""
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return type("_TextLoader", (base,), {"yaml_implicit_resolvers": {}})


class _Reader:
    """Makes values of the nodes of one document."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self._source = source
        self._problems = problems
        #: Values of nodes with anchors, so that an alias costs nothing; those at work are ``None``.
        self._known: dict[int, Any] = {}

    def value(self, node: Any, level: int) -> Any:
        """Return the value of a node."""
        if node.id == "scalar":
            return self._scalar(node)
        if id(node) in self._known:
            known = self._known[id(node)]
            if known is None:
                self._wrong(node, "an alias stands inside its own anchor.")
            return known
        if level > MOST_LEVELS:
            self._wrong(node, "it is nested too deeply.")
            return None
        self._check_tag(node)
        self._known[id(node)] = None
        if node.id == "sequence":
            made: Any = [self.value(each, level + 1) for each in node.value]
        else:
            made = self._mapping(node, level)
        self._known[id(node)] = made
        return made

    def _mapping(self, node: Any, level: int) -> Located:
        made = Located(node.start_mark.line + 1)
        merged: list[Any] = []
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                self._wrong(key_node, "the name of a field must be a text.")
                continue
            key = self._scalar(key_node)
            if key == _MERGE and not key_node.style:
                if merged:
                    self._wrong(key_node, "<< stands twice in one mapping. Give it a list of aliases.")
                merged += value_node.value if value_node.id == "sequence" else [value_node]
                continue
            key = str(key)
            if key in made:
                self._wrong(key_node, "the field stands twice in one mapping.", key)
                continue
            made[key] = self.value(value_node, level + 1)
            made.lines[key] = key_node.start_mark.line + 1
        for each in merged:
            # What stands in the mapping itself wins, and an earlier alias wins over a later one.
            below = self.value(each, level + 1)
            if not isinstance(below, Located):
                self._wrong(each, "<< takes an alias of a mapping, or a list of them.")
                continue
            for key, value in below.items():
                if key not in made:
                    made[key] = value
                    made.lines[key] = below.lines[key]
        return made

    def _scalar(self, node: Any) -> str:
        self._check_tag(node)
        text: str = node.value
        return Plain(text) if not node.style else text

    def _check_tag(self, node: Any) -> None:
        if node.tag not in _PLAIN_TAGS[node.id]:
            self._wrong(node, "tags other than !!str, !!map and !!seq are not read. Write the value itself.")

    def _wrong(self, node: Any, message: str, field: str | None = None) -> None:
        self._problems.append(Problem(Place(self._source, node.start_mark.line + 1), message, field=field))
