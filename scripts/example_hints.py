"""What a person sees who triggers an example in ``make up``, with the values that its form offers."""

from __future__ import annotations

#: By the example's name without ``example_``. A test holds that no example is missing.
HINTS = {
    "adopt_instance": "takes over Ada's calendar, which somebody made in the console",
    "basic_authentication": "makes an instance, and counts its leads",
    "consent_by_person": "waits for you: open its task ask_person, then Required Actions",
    "download_contacts": "makes an instance, downloads its contacts, and deletes it",
    "drift_check": "fails until example_instances_as_code has run",
    "events_after_outage": "releases 3 queued events, finds one that never came; set settle_seconds to 0",
    "events_by_watcher": "starts when a calendar changes",
    "events_by_webhook": "starts when a calendar changes",
    "events_collected": "starts when the sales change",
    "instance_per_tenant": "makes three instances, one for each tenant",
    "instances_as_code": "makes three instances as a file says; the next run finds nothing to do",
    "load_into_postgresql": "starts after example_download_contacts, if PostgreSQL is installed",
    "maintenance_window": "switches an instance off and on",
    "microsoft_graph_events": "makes the calendar's instance, or finds it",
    "nightly_changes": "writes the leads of two tenants; the next run writes what changed since",
    "nightly_check": "repairs Sales south, then waits for your consent for Board room",
    "refresh_token": "makes an instance, and counts its contacts",
    "rotate_secret": "gives three instances a new secret",
    "setup_teardown": "makes an instance, and deletes it after the work",
    "ten_lines": "finds the calendar's instance, and lists its calendars",
    "tenants_from_query": "makes three instances, one for each row",
    "wait_for_event": "waits for a change of the calendar",
}


def hints(names: list[str]) -> list[str]:
    """Return a line for each example.

    :param names: names of the examples' modules
    """
    return [f"  {name:<31} {HINTS.get(name.removeprefix('example_'), '')}".rstrip() for name in names]
