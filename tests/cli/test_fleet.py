"""``plan``, ``apply``, ``export`` and ``schema``, against the sandbox."""

from __future__ import annotations

import io
import json
import os
import signal

import pytest

from airflow_provider_cloudelements.fleet import manifest_schema, read_manifest
from airflow_provider_cloudelements.fleet.report import Pace
from tests.support.fleet import PASSWORD, TAG
from tests.support.leaks import search
from tests.support.platform import CALLBACK, EVENTS

USERNAME = "ada-lovelace"


class Terminal(io.StringIO):
    """A person at a terminal."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def closeio_app(sandbox, monkeypatch):
    fields = {"conn_type": "cloudelements_element", "login": USERNAME, "password": PASSWORD}
    fields["extra"] = {"element": "closeio", "authentication": "basic"}
    monkeypatch.setenv("AIRFLOW_CONN_CLOSEIO_APP", json.dumps(fields))


@pytest.fixture
def tenants(tmp_path):
    """Give a function that writes a manifest of tenants."""

    def write(count=2, name="tenants.yaml", **more):
        defaults = {"element_conn_id": "closeio_app", "event_callback_url": CALLBACK, **more}
        rows = [{"key": f"tenant-{n}", "name": f"Tenant {n}"} for n in range(1, count + 1)]
        path = tmp_path / name
        path.write_text(json.dumps({"ownership_tag": TAG, "defaults": defaults, "instances": rows}))
        return str(path)

    return write


def names(sandbox):
    return sorted(each["name"] for each in sandbox.instances())


# -- plan -----------------------------------------------------------------------------------------


def test_plan_ends_with_2_if_something_would_change_and_writes_nothing(ce, tenants, wire):
    ended = ce("plan", tenants())
    assert ended.code == 2
    assert ended.out.startswith("change ")
    assert "2 to create; 0 unchanged." in ended.out
    assert wire.writes() == []


def test_plan_sees_what_a_person_changed_by_hand(ce, tenants, sandbox, person):
    made = tenants()
    assert ce("apply", made, "--yes").code == 0
    same = ce("plan", made)
    assert same.code == 0
    assert "Nothing to change; 2 unchanged." in same.out
    (changed,) = [each["id"] for each in sandbox.instances() if each["name"] == "Tenant 2"]
    person.call("PATCH", f"/instances/{changed}", {"name": "By hand"})
    ended = ce("plan", made)
    assert ended.code == 2
    assert "name: By hand -> Tenant 2" in ended.out
    assert ce("plan", made, "--json").json["counts"] == {"update": 1, "unchanged": 1}


def test_several_files_and_folders_are_one_manifest(ce, tenants, tmp_path):
    (tmp_path / "below").mkdir()
    tenants(1, "below/one.yaml")
    other = tmp_path / "other.yaml"
    other.write_text(
        f"ownership_tag: {TAG}\ninstances:\n"
        "  - {key: other, name: Other, element_conn_id: closeio_app, events_enabled: false}\n"
    )
    ended = ce("plan", str(tmp_path / "below"), str(other), "--json")
    assert [each["key"] for each in ended.json["changes"]] == ["tenant-1", "other"]
    twice = ce("plan", str(other), str(other))
    assert (twice.code, twice.out) == (1, "")
    assert "The manifest has one problem. Nothing was called." in twice.err


def test_all_problems_of_a_manifest_have_a_line_each(ce, tmp_path, wire):
    path = tmp_path / "bad.yaml"
    path.write_text(
        "instances:\n"
        "  - {key: a, name: A, element: closeio, events_enabled: false, colour: red}\n"
        "  - {key: b, name: B, element_conn_id: nowhere, events_enabled: false}\n"
    )
    for words in (["plan", str(path)], ["apply", str(path), "--yes"]):
        ended = ce(*words)
        assert (ended.code, ended.out) == (1, "")
        first, second, last = ended.err.splitlines()
        assert first.startswith(f"{path}:2: a, colour: ")
        assert second.startswith(f"{path}:3: b")
        assert last == "cloudelements: The manifest has 2 problems. Nothing was called."
    assert wire.calls() == []


def test_a_plan_needs_an_ownership_tag_to_prune(ce, tmp_path):
    path = tmp_path / "none.yaml"
    path.write_text("instances: []\n")
    ended = ce("plan", str(path), "--prune")
    assert (ended.code, ended.out) == (1, "")
    assert "ownership_tag" in ended.err


# -- apply ----------------------------------------------------------------------------------------


def test_apply_needs_somebody_to_ask(ce, tenants, wire):
    ended = ce("apply", tenants())
    assert (ended.code, ended.out) == (2, "")
    assert "add --yes" in ended.err
    assert wire.writes() == []


def test_apply_shows_the_plan_and_asks(ce, tenants, sandbox, monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal("n\ny\n"))
    no = ce("apply", tenants())
    assert (no.code, no.out) == (1, "")
    assert "2 to create" in no.err
    assert sandbox.instances() == []
    yes = ce("apply", tenants())
    assert yes.code == 0
    assert "Make 2 changes? [y/N]" in yes.err
    head, row = yes.rows
    assert [each.strip() for each in head] == ["change", "done", "already", "failed", "stale", "skipped"]
    assert [each.strip() for each in row][:2] == ["create", "2"]
    assert names(sandbox) == ["Tenant 1", "Tenant 2"]


def test_a_saved_plan_is_applied_with_its_checksum_only(ce, tenants, sandbox, tmp_path):
    printed = ce("plan", tenants(), "--json")
    saved = tmp_path / "plan.json"
    saved.write_text(printed.out)
    wrong = ce("apply", "--plan", str(saved), "--checksum", "0" * 64, "--yes")
    assert (wrong.code, wrong.out, sandbox.instances()) == (1, "", [])
    assert "checksum" in wrong.err
    right = ce("apply", "--plan", str(saved), "--checksum", printed.json["checksum"], "--yes", "--json")
    assert right.code == 0
    assert right.json["ok"]
    assert names(sandbox) == ["Tenant 1", "Tenant 2"]
    saved.write_text(printed.out.replace("Tenant 2", "Tenant 9"))
    changed = ce("apply", "--plan", str(saved), "--checksum", printed.json["checksum"], "--yes")
    assert changed.code == 1
    assert "it was changed" in changed.err


def test_stdout_is_the_plan_alone_even_if_airflow_warns(ce, tenants, monkeypatch):
    fields = {"conn_type": "cloudelements_element", "login": "ada", "password": "abc"}
    fields["extra"] = {"element": "closeio", "authentication": "basic"}
    monkeypatch.setenv("AIRFLOW_CONN_CLOSEIO_APP", json.dumps(fields))
    assert ce("plan", tenants(), "--json").json["counts"] == {"create": 2, "unchanged": 0}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "Either FILE or --plan"),
        (("a.yaml", "--plan", "p.json"), "Either FILE or --plan"),
        (("--plan", "p.json"), "--plan needs --checksum"),
        (("--plan", "p.json", "--checksum", "x", "--prune"), "--prune goes with FILE only"),
        (("--plan", "p.json", "--checksum", "x", "--limits-from", "0"), "--limits-from goes with FILE only"),
    ],
)
def test_apply_takes_a_manifest_or_a_plan(words, reason, ce, wire):
    ended = ce("apply", *words, "--yes")
    assert (ended.code, ended.out, wire.calls()) == (2, "", [])
    assert reason in ended.err


def test_what_is_not_safe_needs_force_by_name(ce, tenants, sandbox):
    assert ce("apply", tenants(3), "--yes").code == 0
    fewer = tenants(1)
    refused = ce("apply", fewer, "--prune", "--yes")
    assert (refused.code, refused.out, len(sandbox.instances())) == (1, "", 3)
    grave = [each["force"] for each in ce("plan", fewer, "--prune", "--json").json["violations"]]
    assert len(grave) == 2
    assert all(f"force {each!r}" in refused.err for each in grave)
    too_many = [word for each in grave for word in ("--force", each)]
    limited = ce("apply", fewer, "--prune", "--yes", *too_many, "--max-deletes", "1")
    assert (limited.code, len(sandbox.instances())) == (1, 3)
    assert ce("apply", fewer, "--prune", "--yes", *too_many).code == 0
    assert names(sandbox) == ["Tenant 1"]


def test_a_failed_change_is_named_and_the_rest_is_done(ce, tenants, sandbox):
    sandbox.add_fault("status", method="POST", path="/instances", status=400, count=1)
    ended = ce("apply", tenants(3), "--yes", "--concurrency", "1")
    assert ended.code == 1
    assert ended.err.endswith("cloudelements: 1 of 3 changes were not made.\n")
    assert ["create", "tenant-1", "failed"] == [each.strip() for each in ended.rows[-1][:3]]
    assert names(sandbox) == ["Tenant 2", "Tenant 3"]


def test_ctrl_c_ends_an_apply_with_a_report(ce, tenants, sandbox, monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    sandbox.add_fault("delay", method="POST", path="/instances", seconds=0.3, count=100)
    calls = []

    def once(self, progress):
        calls.append(progress)
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Pace, "__call__", once)
    ended = ce("apply", tenants(20), "--yes", "--concurrency", "2", "--json")
    counts = ended.json["counts"]
    assert ended.code == 130
    assert 0 < counts["done"] < 6
    assert counts["done"] + counts["skipped"] == 20
    assert len(sandbox.instances()) == counts["done"]
    assert signal.getsignal(signal.SIGINT) is before
    assert ce("apply", tenants(20), "--yes").code == 0
    assert len(sandbox.instances()) == 20


def test_a_terminal_gets_a_bar(ce, tenants, monkeypatch):
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", terminal)
    assert ce("apply", tenants(3), "--yes").code == 0
    assert "3 done, 0 failed, 0 of 3 left" in terminal.getvalue()


# -- export, schema -------------------------------------------------------------------------------


def test_a_plan_of_what_export_wrote_is_empty(ce, person, tmp_path):
    person.make("basic", "One", tags=["gold"])
    person.make("refresh", "Two")
    path = tmp_path / "all.yaml"
    written = ce("export", "--output", str(path))
    assert (written.code, written.out, written.err) == (0, "", "2 instances exported.\n")
    assert ce("export").out == path.read_text()
    assert ce("plan", str(path)).code == 0
    assert ce("export", "--element", "hubspotcrm").err == "1 instance exported.\n"


def test_export_replaces_a_file_only_if_told(ce, person, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    refused = ce("export", "-o", str(path))
    assert (refused.code, path.read_text()) == (2, "mine")
    assert ce("export", "-o", str(path), "--yes").code == 0
    assert read_manifest(str(path)).check().rows == ()
    nowhere = ce("export", "-o", str(tmp_path / "no" / "x.yaml"))
    assert nowhere.code == 1
    assert "cannot be written" in nowhere.err


def test_schema_needs_no_connection(ce, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT")
    assert ce("schema").json == manifest_schema()


# -- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_no_command_of_the_fleet_prints_a_secret(form, ce, tenants, sandbox, person, monkeypatch):
    secrets = {
        "password": PASSWORD,
        "username": USERNAME,
        "user secret": sandbox.user_secret,
        "organization secret": sandbox.organization_secret,
        "new password": "second/pass+word=",
    }
    made = tenants()
    printed = []

    def run(code, *words):
        ended = ce(*words)
        assert ended.code == code, (words, ended.err)
        printed.append((" ".join(words[:1]), ended.out + ended.err))

    run(2, "plan", made, *form)
    run(0, "apply", made, "--yes", *form)
    person.make("basic", "By hand", configuration={**EVENTS, "username": USERNAME, "password": PASSWORD})
    fields = {"conn_type": "cloudelements_element", "login": USERNAME, "password": secrets["new password"]}
    fields["extra"] = {"element": "closeio", "authentication": "basic"}
    monkeypatch.setenv("AIRFLOW_CONN_CLOSEIO_APP", json.dumps(fields))
    run(2, "plan", made, *form)
    sandbox.add_fault("status", method="PATCH", status=400, count=1)
    sandbox.add_fault("status", method="PUT", status=400, count=1)
    run(1, "apply", made, "--yes", *form)
    run(0, "export")
    assert len(list(search([("planted", f"x{each}y") for each in secrets.values()], secrets))) >= len(secrets)
    assert list(search(printed, secrets)) == []
