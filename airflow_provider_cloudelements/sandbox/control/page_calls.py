"""The pages for people: the one that they see first, and one of each instance.

The first one says what runs here, how to reach it, what it holds and what called it. No page shows a secret
but those that are public.
"""

from __future__ import annotations

import shlex
from html import escape

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.control.calls import summary_of
from airflow_provider_cloudelements.sandbox.core.pages import html_page, html_table
from airflow_provider_cloudelements.sandbox.core.web import json_reply
from airflow_provider_cloudelements.sandbox.instances.calls import instance_of
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.settings import (
    API_PREFIX,
    CONTROL_PREFIX,
    DEFAULT_ORGANIZATION_SECRET,
    DEFAULT_USER_SECRET,
)
from airflow_provider_cloudelements.sandbox.state import Call, State

#: The most instances and calls that the page shows.
MOST_ROWS = 50
#: The control calls that a person can open, with what they show.
_READABLE = {
    "/instances": "instances",
    "/requests": "calls",
    "/events": "counts of events",
    "/deliveries": "deliveries of notifications",
    "/codes": "consent codes",
    "/faults": "faults",
    "/bulk": "bulk jobs",
    "/formulas": "executions of formulas",
    "/settings": "settings",
}


def overview(call: Call) -> Response:
    """GET /sandbox: shows a browser what runs here, instances and latest calls; a program gets counts."""
    state = call.state
    if _by_browser(call):
        return _page(state)
    return json_reply(
        {
            "sandbox": "Cloud Elements",
            "url": state.origin,
            "instances": len(state.store.all()),
            "requests": state.journal.counters()["total"],
        }
    )


def show_instance(call: Call) -> Response:
    """GET /sandbox/instances/{id}: shows a browser an instance and its latest calls; a program gets JSON."""
    instance = instance_of(call)
    summary = summary_of(instance)
    if not _by_browser(call):
        return json_reply(summary)
    told = {**summary, "tags": ", ".join(instance.tags), "state": _health(instance)}
    values = "".join(f"<dt>{escape(name)}</dt><dd>{escape(_text(each))}</dd>" for name, each in told.items())
    content = f'<p><a href="{CONTROL_PREFIX}">All instances</a></p><dl>{values}</dl>' + _section(
        "Latest calls", _calls(call.state, f"/instances/{instance.id}")
    )
    return html_page(f"Instance {instance.id}: {instance.name}", content, wide=True)


def _by_browser(call: Call) -> bool:
    """Return whether a browser calls, which takes a page before JSON."""
    return "text/html" in call.headers.get("accept", "")


def _text(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _page(state: State) -> Response:
    """Return the page."""
    content = "".join(
        (
            "<p>This is a local emulation of the Cloud Elements (SAP Open Connectors) API. It keeps all in "
            "memory, and it reaches nothing beyond this machine. Load the page again to see what is new.</p>",
            _section("Secrets", _secrets(state)),
            _section("Instances", _instances(state)),
            _section("Send an event", _event(state)),
            _section("Bulk jobs", _bulk(state)),
            _section("Executions of formulas", _formulas(state)),
            _section("Latest calls", _calls(state)),
            _section("As JSON", _links()),
        )
    )
    return html_page("Cloud Elements sandbox", content, wide=True)


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>{content}"


def _secrets(state: State) -> str:
    """Return where the API is, and the secrets if they are the public ones."""
    settings = state.settings
    user = _if_public(settings.user_secret, DEFAULT_USER_SECRET)
    organization = _if_public(settings.organization_secret, DEFAULT_ORGANIZATION_SECRET)
    return (
        f"<dl><dt>API host</dt><dd><code>{escape(state.origin)}</code>, "
        f"and the paths begin with <code>{API_PREFIX}</code></dd>"
        f"<dt>User secret</dt><dd>{user}</dd><dt>Organization secret</dt><dd>{organization}</dd></dl>"
    )


def _if_public(secret: str, public: str) -> str:
    if secret != public:
        return "the one that this sandbox was started with"
    return f"<code>{escape(public)}</code>"


def _instances(state: State) -> str:
    """Return a table of the instances, the newest first."""
    instances = sorted(state.store.all(), key=lambda each: each.id, reverse=True)
    if not instances:
        return "<p>There is none yet. A create makes one.</p>"
    rows: list[list[object]] = [
        [
            each.id,
            each.name,
            each.element.key,
            ", ".join(each.tags),
            _health(each),
            "on" if each.events_enabled else "off",
        ]
        for each in instances[:MOST_ROWS]
    ]
    table = html_table(["id", "name", "element", "tags", "state", "events"], rows)
    left = len(instances) - MOST_ROWS
    return table + (f"<p>And {left} more.</p>" if left > 0 else "")


def _health(instance: Instance) -> str:
    if instance.disabled:
        return "disabled"
    return "works" if instance.valid else "the vendor refuses its credentials"


def _event(state: State) -> str:
    """Return the command that plays the vendor of an element that has an instance with events on."""
    elements = sorted({each.element.key for each in state.store.all() if each.events_enabled})
    module = f"{__package__.rpartition('.')[0]} emit --url {shlex.quote(state.origin)}"
    commands = "\n".join(f"python -m {module} --element {shlex.quote(each)}" for each in elements)
    if not elements:
        return "<p>No instance has events on. When one has, the command stands here.</p>"
    return f"<p>The vendor of each instance with events on reports a change:</p><pre>{escape(commands)}</pre>"


def _bulk(state: State) -> str:
    """Return a table of the latest bulk jobs, the newest first."""
    jobs = state.jobs.of()[-MOST_ROWS:][::-1]
    if not jobs:
        return "<p>There was none yet.</p>"
    rows: list[list[object]] = [
        [
            each.id,
            each.instance_id,
            each.direction.lower(),
            each.object_name,
            state.jobs.state(each),
            each.records,
        ]
        for each in jobs
    ]
    return html_table(["id", "instance", "kind", "object", "state", "records"], rows)


def _formulas(state: State) -> str:
    """Return a table of the latest executions, the newest first."""
    executions = state.formulas.executions()[-MOST_ROWS:][::-1]
    if not executions:
        return "<p>There was none yet.</p>"
    rows: list[list[object]] = [
        [
            each.id,
            each.instance.template.name,
            each.status,
            ", ".join(f"{step.name}: {step.status}" for step in each.steps),
        ]
        for each in executions
    ]
    return html_table(["id", "formula", "status", "steps"], rows)


def _calls(state: State, path: str | None = None) -> str:
    """Return a table of the latest calls, the newest first.

    :param state: the sandbox.
    :param path: only calls of this path, and of those below it.
    """
    total = state.journal.counters()["total"]
    if path is None:
        latest = state.journal.entries(total - MOST_ROWS)[::-1]
    else:
        below = (each for each in state.journal.entries() if f"{each['path']}/".startswith(f"{path}/"))
        latest = [*below][: -MOST_ROWS - 1 : -1]
    if not latest:
        return "<p>There was none yet.</p>"
    rows: list[list[object]] = [
        [
            each["time"][11:19],
            each["method"],
            each["path"],
            "none" if each["status"] is None else each["status"],
            each["fault"] or "",
        ]
        for each in latest
    ]
    table = html_table(["time (UTC)", "verb", f"path below {API_PREFIX}", "answer", "fault"], rows)
    return table if path else f"{table}<p>{total} in all.</p>"


def _links() -> str:
    links = ", ".join(f'<a href="{CONTROL_PREFIX}{path}">{what}</a>' for path, what in _READABLE.items())
    return f"<p>{links}</p>"
