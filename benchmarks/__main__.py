"""Command line of the benchmarks."""

from __future__ import annotations

import argparse
import datetime
import importlib
import time

from benchmarks.figures import Figure, table
from benchmarks.setting import machine, private_airflow

#: Modules of this package, in the order of running.
NAMES = (
    "calls",
    "imports",
    "creates",
    "memory",
    "uploads",
    "steady",
    "masks",
    "waiting",
    "bulk_waits",
    "bulk_downloads",
    "events",
    "paging",
    "plans",
    "applies",
    "tenants",
)


def main(arguments: list[str] | None = None) -> int:
    """Run benchmarks and print their figures.

    :param arguments: Command line; default: this process's.
    :return: Exit code: 1 when a ratio misses its bound, or could not be measured.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller lists")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in NAMES]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    print(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, {machine()}", flush=True)
    missed: list[Figure] = []
    with private_airflow():
        for name in chosen.names or NAMES:
            module = importlib.import_module(f"benchmarks.{name}")
            begin = time.monotonic()
            figures: list[Figure] = module.run(chosen.quick)
            print(
                f"\n{name}: {module.SUMMARY} ({time.monotonic() - begin:.0f} s)\n{table(figures)}", flush=True
            )
            missed += [figure for figure in figures if figure.missed]
    print()
    for figure in missed:
        print(f"MISSED: {figure.what}, against {figure.rival}: {figure.ratio}, {figure.bound}")
    if not missed:
        print("Every bound holds.")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
