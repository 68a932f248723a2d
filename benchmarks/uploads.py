"""The memory of a bulk upload: of the whole process of a task, for files of two sizes; and its time."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.figures import Bound, Figure, Ratio
from benchmarks.setting import CONFIGURATION, ELEMENT, child, served

SUMMARY = "memory of a bulk upload"

#: Bytes of the two files.
SMALL, LARGE = 50_000_000, 1_000_000_000
#: Most bytes of memory that the process of a task may take at any time.
MOST = 150_000_000
#: The peak against that limit, and that with the large file against that with the small one.
WITHIN = Bound(1.0, most=True)
FLAT = Bound(1.1, most=True)
_ROW = b"N,n@example.com," + b"x" * 480 + b"\r\n"


def run(quick: bool) -> list[Figure]:
    """Measure."""
    large = 200_000_000 if quick else LARGE
    with served() as (sandbox, client), tempfile.TemporaryDirectory() as folder:
        made = client.instances.create(element=ELEMENT, name="uploads", configuration=CONFIGURATION)
        found = {size: _uploaded(sandbox, made.id, Path(folder), size) for size in (SMALL, large)}
    ours = found[large]
    name = f"a task that uploads {large / 1e6:,.0f} MB"
    return [
        Figure(
            f"{name}: peak of its process",
            f"{ours['peak'] / 1e6:.0f} MB",
            f"the limit: {MOST / 1e6:.0f} MB",
            Ratio.of([ours["peak"]], [MOST]),
            WITHIN,
        ),
        Figure(
            f"{name}: peak of its process",
            f"{ours['peak'] / 1e6:.0f} MB",
            f"with {SMALL / 1e6:.0f} MB: {found[SMALL]['peak'] / 1e6:.0f} MB",
            Ratio.of([ours["peak"]], [found[SMALL]["peak"]]),
            FLAT,
        ),
        Figure(f"{name}: from begin to end", f"{ours['seconds']:.1f} s"),
    ]


def _uploaded(sandbox: Any, instance: int, folder: Path, size: int) -> dict[str, Any]:
    """Upload a file of so many bytes in a fresh process, and return what it took."""
    path = folder / "rows.csv"
    rows = size // len(_ROW)
    with path.open("wb") as file:
        file.write(b"name,email,note\r\n")
        for _ in range(rows // 1000):
            file.write(_ROW * 1000)
    done = child(__name__, json.dumps(sandbox.connection()), str(instance), str(path))
    assert done["rows"] == rows // 1000 * 1000, done
    return done


def _upload(connection: str, instance: str, path: str) -> dict[str, Any]:
    os.environ["AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT"] = connection
    from airflow_provider_cloudelements.operators.bulk import CloudElementsUploadBulkOperator

    operator = CloudElementsUploadBulkOperator(
        task_id="upload",
        instance_id=instance,
        object_name="contacts",
        path=f"file://{path}",
        poke_interval=1,
        deferrable=False,
    )
    begin = time.monotonic()
    done = operator.execute({})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"rows": done["rows"], "peak": peak, "seconds": time.monotonic() - begin}


if __name__ == "__main__":
    print(json.dumps(_upload(*sys.argv[1:])))
