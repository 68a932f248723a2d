"""A process that runs an upload as a worker does, and can be killed: it keeps its task's state in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.support.store_writer import UPLOAD, operator_of, written


def main(instance: str, path: str, store: str, try_number: str) -> None:
    """Say that the work begins, do it, and print what the task returns."""
    operator_of(UPLOAD, path, int(instance))  # loads Airflow before the work begins
    print("begins", flush=True)
    print(json.dumps(written(UPLOAD, path, int(instance), Path(store), int(try_number))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
