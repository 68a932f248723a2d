"""A list of a million records, against a loop that fetches the same pages with requests and decodes them."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import requests

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.connections import ConnectionSettings
from benchmarks.figures import Bound, Figure, Ratio, in_turns
from benchmarks.prepared import serving
from benchmarks.setting import (
    CONFIGURATION,
    ELEMENT,
    authorization,
    child,
    most_resident,
    served,
)

SUMMARY = "a list of 1,000,000 records, page after page"

RECORDS = 1_000_000
#: Records of a page: the platform's own default, and the most that the sandbox gives.
PAGE = 200
OBJECT = "contacts"
BARE = "bare requests.Session and .json()"
AGAINST_BARE = Bound(1.5)
#: The peak of the process after all records, against that after the first tenth of them.
FLAT = Bound(1.1, most=True)
_SECRET = "not-a-real-secret"  # noqa: S105  # the server of prepared bytes asks for none


def run(quick: bool) -> list[Figure]:
    """Measure."""
    count, rounds = (100_000, 10) if quick else (RECORDS, 20)
    page = page_of_sandbox()
    rates = rates_of(page, count // PAGE // rounds, rounds)
    whole = child(__name__, str(count))
    assert whole["count"] == count
    return [
        *(
            Figure(
                f"{count:,} records in pages of {PAGE}, a second of {kind}",
                f"{statistics.median(sides['ours']):,.0f}",
                f"{BARE}: {statistics.median(sides[BARE]):,.0f}",
                Ratio.of(sides["ours"], sides[BARE]),
                bound,
            )
            for kind, sides, bound in (
                ("processor time", rates["processor"], AGAINST_BARE),
                ("the clock", rates["clock"], None),
            )
        ),
        Figure(
            f"{count:,} records in pages of {PAGE}: most memory of the process",
            f"{whole['last'] / 1024**2:.0f} MiB",
            f"after a tenth of them: {whole['first'] / 1024**2:.0f} MiB",
            Ratio.of([whole["last"]], [whole["first"]]),
            FLAT,
        ),
    ]


def page_of_sandbox() -> bytes:
    """Return a page of records as the sandbox writes it."""
    with served() as (sandbox, client):
        made = client.instances.create(element=ELEMENT, name="one", configuration=CONFIGURATION)
        sandbox.set_records(made.id, OBJECT, RECORDS)
        words = authorization(sandbox.connection())["Authorization"]
        answer = requests.get(
            f"{sandbox.url}/elements/api-v2/{OBJECT}",
            params={"pageSize": PAGE},
            headers={"Authorization": f"{words}, Element {made.token}"},
            timeout=60,
        )
    assert len(answer.json()) == PAGE
    return answer.content


def rates_of(page: bytes, pages: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return each side's records a second, round by round, by processor time and by the clock.

    :param page: JSON of a page.
    :param pages: Pages of a turn.
    :param rounds: Number of rounds.
    """
    with served_records(page, pages) as client:
        url = client.instances.http.settings.base_url
        seconds: dict[str, list[float]] = {"ours": [], BARE: []}

        def turn(name: str, records: Callable[[], Iterator[Any]]) -> Callable[[], float]:
            def read() -> float:
                begin, spent = time.perf_counter(), time.process_time()
                count = sum(1 for _ in records())
                spent = time.process_time() - spent
                seconds[name].append(time.perf_counter() - begin)
                assert count == pages * PAGE
                return count / spent

            return read

        contestants = {
            "ours": turn("ours", lambda: records_of(client)),
            BARE: turn(BARE, lambda: _bare(url)),
        }
        processor = in_turns(contestants, rounds)
    # The first turn of each is not counted.
    clock = {name: [pages * PAGE / each for each in taken[1:]] for name, taken in seconds.items()}
    return {"processor": processor, "clock": clock}


@contextmanager
def served_records(page: bytes, pages: int) -> Iterator[CloudElementsClient]:
    """Start a server of prepared pages, and yield a client of it.

    :param page: JSON of a page.
    :param pages: Number of pages.
    """
    with (
        serving(page, pages) as url,
        CloudElementsClient(
            ConnectionSettings(base_url=url, user_secret=_SECRET, organization_secret=_SECRET)
        ) as client,
    ):
        yield client


def records_of(client: CloudElementsClient) -> Iterator[Any]:
    """Yield all records of a client of the server of prepared pages."""
    return client.instance(None, _SECRET).records(f"/{OBJECT}", page_size=PAGE)


def _bare(url: str) -> Iterator[Any]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"User {_SECRET}, Organization {_SECRET}, Element {_SECRET}"
        query = {"pageSize": str(PAGE)}
        while True:
            answer = session.get(f"{url}/elements/api-v2/{OBJECT}", params=query, timeout=60)
            answer.raise_for_status()
            yield from answer.json()
            if "Elements-Next-Page-Token" not in answer.headers:
                return
            query["nextPage"] = answer.headers["Elements-Next-Page-Token"]


def _main(count: str) -> None:
    """Read a whole list in this process, and print its peak after a tenth and at the end."""
    tenth = int(count) // 10
    page = page_of_sandbox()
    with served_records(page, int(count) // PAGE) as client:
        records = records_of(client)
        seen = sum(1 for _ in islice(records, tenth))
        first = most_resident()
        seen += sum(1 for _ in records)
    print(json.dumps({"count": seen, "first": first, "last": most_resident()}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
