"""
The blocks of code in the pages, each with what a comment before it says.

A comment in the line before a block says how a reader uses it, if not as its language says:

.. code-block:: text

    <!-- block: save as dags/first.py -->       the reader saves it there
    <!-- block: given sandbox, instance_id -->  the text around it names these
    <!-- block: output -->                      lines that the shell block before it prints
    <!-- block: not run, needs an account -->   and why

``<!-- blocks: in a clone -->`` anywhere in a page says that its reader begins in a clone of the repository.
Others begin in an empty folder, with the package installed.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
IN_A_CLONE = "<!-- blocks: in a clone -->"

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<language>\S*)")
_SAYS = re.compile(r"<!-- block: (?P<verb>save as|given|output|not run),? *(?P<rest>.*?) *-->")
_FILLED = re.compile(r"<!-- filled by scripts/docs\.py: (?P<name>.+?) *-->")


@dataclass(frozen=True)
class Block:
    """
    A block of code.

    :param page: name of the page
    :param line: line of its first fence
    :param language: what stands behind the fence
    :param text: the code
    :param verb: ``save as``, ``given``, ``output`` or ``not run``, or nothing
    :param rest: what follows the verb
    :param filled: the part of an example that scripts/docs.py put there, if it did
    """

    page: str
    line: int
    language: str
    text: str
    verb: str = ""
    rest: str = ""
    filled: str = ""

    def __str__(self) -> str:
        """Return where it is."""
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """
    Return the blocks of a page, in their order.

    :param page: the page
    """
    found: list[Block] = []
    before = ""  # the last line with text
    opened: re.Match[str] | None = None
    start, code = 0, list[str]()
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if opened is None:
            opened = _FENCE.match(line)
            start, code = number, []
            if not opened and line.strip():
                before = line.strip()
        elif line.strip() == opened["fence"]:
            found.append(_block(page, start, opened["language"], code, before))
            opened, before = None, ""
        else:
            code.append(line)
    assert opened is None, f"{page.name}:{start} has no end"
    return found


def _block(page: Path, start: int, language: str, code: list[str], before: str) -> Block:
    says, filled = _SAYS.fullmatch(before), _FILLED.fullmatch(before)
    assert says or not before.startswith("<!-- block:"), f"{page.name}:{start}: {before}"
    return Block(
        page.relative_to(ROOT).as_posix(),
        start,
        language,
        textwrap.dedent("\n".join(code)) + "\n",
        says["verb"] if says else "",
        says["rest"] if says else "",
        filled["name"] if filled else "",
    )
