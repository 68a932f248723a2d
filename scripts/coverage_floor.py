"""
Hold the coverage of the unit tests at its floor: lines and branches of the whole package, in one figure.

``make unit`` measures by slipcover. It puts its marks into the code when a module is loaded, and costs a
twentieth of the time. (coverage.py doubles the time on Python 3.11: there it is called for every line that
runs, ours or not.) What runs in processes of their own is not counted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

#: What the unit tests cover, in per cent. It is raised when they cover more, and not lowered.
FLOOR = 97.0
#: So many files are named when there is too little.
NAMED = 10


def main(arguments: list[str]) -> int:
    """Read slipcover's report and return 0 where it is not below the floor."""
    report: dict[str, Any] = json.loads(Path(arguments[0]).read_text())
    covered = float(report["summary"]["percent_covered"])
    print(f"coverage: {covered:.2f} % of lines and branches, of which {FLOOR} % are the floor")
    if covered >= FLOOR:
        return 0
    print("The coverage fell. What misses most:")
    for name, file in sorted(report["files"].items(), key=lambda each: -_missing(each[1]))[:NAMED]:
        if _missing(file):
            branches = [f"{start}->{end or 'exit'}" for start, end in file["missing_branches"]]
            missed = ", ".join([*map(str, file["missing_lines"]), *branches])
            print(f"  {name}: {missed}")
    return 1


def _missing(file: dict[str, Any]) -> int:
    """
    Return how much of a file was not covered.

    :param file: its part of the report
    """
    return len(file["missing_lines"]) + len(file["missing_branches"])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
