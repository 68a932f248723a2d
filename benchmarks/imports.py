"""The time that the import of the operators adds to a DAG file that imports airflow.sdk anyway.

Each child imports the names that any DAG file needs, then the operators of one provider, so both figures come
from one fresh process. The benchmark counts processor time: on a shared machine the clock's time of the same
import varied fivefold.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from airflow_provider_cloudelements.get_provider_info import get_provider_info
from benchmarks.figures import Bound, Figure, Ratio, in_turns
from benchmarks.setting import child, installed

SUMMARY = "import of the operators against airflow.sdk alone"

#: The bound of issue 3. Issue 2 required 1.05.
AGAINST_SDK = Bound(1.03, most=True)

OURS = "airflow_provider_cloudelements.operators.instances"
#: Every module of operators. A DAG file seldom needs all of them.
ALL = ",".join(name for each in get_provider_info()["operators"] for name in each["python-modules"])
RIVALS = {
    "dbt-cloud": "airflow.providers.dbt.cloud.operators.dbt",
    "airbyte": "airflow.providers.airbyte.operators.airbyte",
    "http": "airflow.providers.http.operators.http",
}


def run(quick: bool) -> list[Figure]:
    """Measure."""
    base: dict[str, list[float]] = {}
    total: dict[str, list[float]] = {}

    def turn(module: str) -> float:
        seconds = child(__name__, module)
        base.setdefault(module, []).append(seconds["sdk"])
        total.setdefault(module, []).append(seconds["sdk"] + seconds["module"])
        return float(seconds["module"])

    modules = {"this provider": OURS, "all modules of this provider": ALL} | {
        name: module for name, module in RIVALS.items() if installed(module.partition(".operators")[0])
    }
    # The warm-up also writes the bytecode. The lines below drop its figures.
    in_turns({name: lambda m=module: turn(m) for name, module in modules.items()}, 4 if quick else 9)  # type: ignore[misc]
    figures = []
    for name, module in modules.items():
        sdk, whole = base[module][1:], total[module][1:]
        added = statistics.median(all_ - part for all_, part in zip(whole, sdk, strict=True))
        figures.append(
            Figure(
                f"import of {name}'s operators",
                f"+{added * 1000:.0f} ms",
                f"airflow.sdk alone: {statistics.median(sdk) * 1000:.0f} ms",
                Ratio.of(whole, sdk),
                AGAINST_SDK if module == OURS else None,
            )
        )
    missing = [name for name in RIVALS if name not in modules]
    if missing:
        figures.append(Figure(f"import of the operators of {', '.join(missing)}", "", "not installed"))
    return figures


def _main(module: str) -> None:
    """Import the modules in this process and print the seconds of processor time."""
    begin = time.process_time()
    # airflow.sdk loads each name at its first use. A DAG file with an operator needs these.
    from airflow.sdk import DAG, BaseOperator, task  # noqa: F401

    between = time.process_time()
    for name in module.split(","):
        __import__(name)
    print(json.dumps({"sdk": between - begin, "module": time.process_time() - between}))


if __name__ == "__main__":
    _main(sys.argv[1])
