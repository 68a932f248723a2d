"""The cost of an event: from the bytes of a list's page, or of a delivery, to an asset event's payload."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pendulum
import requests

from airflow_provider_cloudelements.client.notifications import Notification
from airflow_provider_cloudelements.client.wire.decoding import decode
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.query import EventQuery
from airflow_provider_cloudelements.events.reading import EventLook, EventStream
from airflow_provider_cloudelements.events.signature import sign, verify
from benchmarks.figures import Bound, Figure, Ratio, in_turns
from benchmarks.setting import api_url, authorization, child, served

SUMMARY = "events, from bytes to payload"

PAGE = 200
#: Pages of one turn.
PAGES = 2
#: Deliveries of one turn.
DELIVERIES = 200
MANY, MORE = 10_000, 100_000
#: The peak at MORE events against the peak at MANY.
FLAT = Bound(1.1, most=True)
#: Against json.loads of the page and of the texts of JSON in it.
AGAINST_JSON = Bound(1.5)
#: Against a bare hmac and json.loads.
AGAINST_HMAC = Bound(1)

BARE_JSON = "bare json.loads of pages and texts"
BARE_HMAC = "bare hmac and json.loads"
_KEY = "not-a-real-signature-key"
_BEGIN = pendulum.datetime(2026, 11, 1)
_ISO = "YYYY-MM-DDTHH:mm:ss[Z]"
_GRAPH = {
    "oauth.api.key": "benchmark",
    "oauth.api.secret": "not-a-real-secret",
    "oauth.callback.url": "https://app.example.com/callback",
    "event.notification.enabled": True,
    "event.notification.callback.url": "https://hooks.example.com/events",
}


class Template:
    """An event of Microsoft Graph as the sandbox lists it, and others like it.

    :param text: The item of the list, as JSON.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        event = json.loads(text)
        self._delivery = json.dumps(event["notifiedData"][0])
        self._created = event["notifiedData"][0]["createdDate"]
        self.instance_id = event["eventElementInstances"][0]["elementInstanceId"]
        self._id, self._date = event["id"], event["eventDate"]

    @classmethod
    def listed(cls) -> Template:
        """Return a template from an event that a sandbox lists."""
        with served() as (sandbox, client):
            instance = client.instances.create(
                element="microsoftgraph",
                name="one",
                configuration=_GRAPH,
                provider_data={"code": sandbox.code()},
            )
            sandbox.emit(instance.id)
            answer = requests.get(
                api_url(sandbox, "/instances/events"),
                headers=authorization(sandbox.connection()),
                timeout=30,
            )
            (event,) = answer.json()
        return cls(json.dumps(event))

    def page(self, number: int) -> bytes:
        """Return a page with the newest event first and one second between events."""
        first = number * PAGE
        return f"[{','.join(self._event(first + each) for each in range(PAGE))}]".encode()

    def deliveries(self, count: int) -> list[bytes]:
        """Return deliveries, ten for each second."""
        made = []
        for number in range(count):
            at = _BEGIN.add(seconds=number // 10)
            text = self._delivery.replace(self._id, f"{number:020}")
            text = text.replace(self._created, at.format("ddd MMM DD HH:mm:ss [UTC] YYYY"))
            made.append(text.replace(self._date, at.format(_ISO)).encode())
        return made

    def _event(self, number: int) -> str:
        date = _BEGIN.subtract(seconds=number).format(_ISO)
        return self.text.replace(self._id, f"{number:020}").replace(self._date, date)


class Listed(HttpSession):
    """A stand-in for the session. It takes pages as bytes, so that the figures contain no network.

    :param pages: The bytes of each page.
    """

    def __init__(self, pages: Iterator[bytes]) -> None:
        super().__init__(ConnectionSettings("https://api.example.com"))
        self._pages = pages

    def list_pages(
        self, path: str, *, read: Callable[[bytes], Any] = decode, **_: Any
    ) -> Iterator[list[Any]]:
        """Yield the pages, decoded as the session decodes them."""
        for page in self._pages:
            yield read(page)


def run(quick: bool) -> list[Figure]:
    """Measure."""
    template = Template.listed()
    rates = in_turns(page_contestants(template), 15 if quick else 100)
    checks = in_turns(delivery_contestants(template), 15 if quick else 100)
    many, more = (MANY // 2, MANY * 2) if quick else (MANY, MORE)
    peaks = {count: child(__name__, str(count), template.text)["peak"] for count in (many, more)}
    return [
        _figure("page to payload, events a second of processor time", rates, BARE_JSON, AGAINST_JSON),
        Figure(
            f"{more:,} events, page to payload: peak",
            f"{peaks[more] / 1024:.0f} KiB",
            f"{many:,} events: {peaks[many] / 1024:.0f} KiB",
            Ratio.of([peaks[more]], [peaks[many]]),
            FLAT,
        ),
        _figure("verify and parse, deliveries a second of processor time", checks, BARE_HMAC, AGAINST_HMAC),
    ]


def _figure(what: str, rates: dict[str, list[float]], rival: str, bound: Bound) -> Figure:
    return Figure(
        what,
        f"{statistics.median(rates['ours']):,.0f}/s",
        f"{rival}: {statistics.median(rates[rival]):,.0f}/s",
        Ratio.of(rates["ours"], rates[rival]),
        bound,
    )


def page_contestants(template: Template) -> dict[str, Callable[[], float]]:
    """Return the contestants that make payloads from pages. Each returns events a second."""
    pages = [template.page(number) for number in range(PAGES)]

    def ours() -> None:
        assert sum(1 for _ in payloads(template, iter(pages))) == len(pages) * PAGE

    def bare() -> None:
        assert sum(1 for _ in bare_payloads(pages)) == len(pages) * PAGE

    return {"ours": _rate(ours, len(pages) * PAGE), BARE_JSON: _rate(bare, len(pages) * PAGE)}


def payloads(template: Template, pages: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the rows of an asset event's payload: parsed, each once, filtered by the query."""
    query = EventQuery.of(
        instance_id=template.instance_id,
        object_types=["events", "contacts"],
        event_types=["CREATED", "UPDATED"],
    )
    look = EventLook(query, EventCursor.start("earliest"), max_pages=MORE)
    for row in EventStream(Listed(pages), look):
        yield row.data


def bare_payloads(pages: Sequence[bytes]) -> Iterator[Any]:
    """Yield what a caller gets without the client: all JSON parsed, each event once."""
    seen: set[str] = set()
    for page in pages:
        for event in json.loads(page):
            if event["id"] in seen:
                continue
            seen.add(event["id"])
            yield [json.loads(each["notifiedData"]) for each in event["eventElementInstances"]]


def delivery_contestants(template: Template) -> dict[str, Callable[[], float]]:
    """Return the contestants that verify and parse deliveries. Each returns deliveries a second."""
    signed = [(body, sign(body, _KEY)) for body in template.deliveries(DELIVERIES)]

    def ours() -> None:
        for body, signature in signed:
            verify(body, signature, _KEY)
            assert Notification.parse(body).events

    def bare() -> None:
        for body, signature in signed:
            digest = base64.b64encode(hmac.new(_KEY.encode(), body, hashlib.sha256).digest()).decode()
            assert hmac.compare_digest(f"sha256={digest}", signature)
            assert json.loads(body)["message"]["events"]

    return {"ours": _rate(ours, DELIVERIES), BARE_HMAC: _rate(bare, DELIVERIES)}


def _rate(turn: Callable[[], None], count: int) -> Callable[[], float]:
    def timed() -> float:
        begin = time.process_time()  # the clock's time varies with the machine's other load
        turn()
        return count / (time.process_time() - begin)

    return timed


def peak(template: Template, count: int) -> int:
    """Return the peak of memory, in bytes, while events become payload and nothing keeps them."""

    def read(number: int) -> None:
        pages = map(template.page, range(number // PAGE))
        assert sum(1 for _ in payloads(template, pages)) == number

    read(PAGE)  # so that the measurement leaves out what the first run loads and caches
    tracemalloc.start()
    try:
        read(count)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _main(count: str, text: str) -> None:
    """Measure in this process and print the result."""
    print(json.dumps({"peak": peak(Template(text), int(count))}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
