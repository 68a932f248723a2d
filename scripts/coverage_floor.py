"""
Hold the coverage of the unit tests at its floor: lines and branches of the whole package, in one figure.

``make unit`` measures with slipcover, which instruments the code when a module is loaded and costs a
twentieth of the time. (coverage.py doubles the time on Python 3.11: there Python calls it for every line
that runs, ours or not.) The figure does not include code that runs in other processes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

#: Coverage of the unit tests, in per cent. Raise it when they cover more; do not lower it.
FLOOR = 97.0
#: How many files the script names when the coverage is too low.
NAMED = 10


def main(arguments: list[str]) -> int:
    """Read slipcover's report and return 0 if the coverage is not below the floor."""
    report: dict[str, Any] = json.loads(Path(arguments[0]).read_text())
    covered = float(report["summary"]["percent_covered"])
    print(f"coverage: {covered:.2f} % of lines and branches; the floor is {FLOOR} %")
    if covered >= FLOOR:
        return 0
    print("The coverage fell. The files that miss most:")
    for name, file in sorted(report["files"].items(), key=lambda each: -_missing(each[1]))[:NAMED]:
        if _missing(file):
            branches = [f"{start}->{end or 'exit'}" for start, end in file["missing_branches"]]
            missed = ", ".join([*map(str, file["missing_lines"]), *branches])
            print(f"  {name}: {missed}")
    return 1


def _missing(file: dict[str, Any]) -> int:
    """
    Return the number of lines and branches of a file that the tests do not cover.

    :param file: its part of the report
    """
    return len(file["missing_lines"]) + len(file["missing_branches"])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
