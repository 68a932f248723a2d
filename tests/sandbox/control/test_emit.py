"""Events on demand: Sandbox.emit, POST /sandbox/events, and the command line."""

import json
import subprocess
import sys

import pytest

from airflow_provider_cloudelements.sandbox import SandboxError
from airflow_provider_cloudelements.sandbox.__main__ import main

OUTSIDE = "https://app.example/events"
COMMAND = [sys.executable, "-m", "airflow_provider_cloudelements.sandbox", "emit"]


def objects(event):
    return [
        (row["objectType"], row["objectId"], row["eventType"], row["date"])
        for row in event["notifiedData"][0]["message"]["events"]
    ]


@pytest.mark.parametrize("element", ["closeio", "sfdc", "microsoftgraph"])
@pytest.mark.parametrize("kind", ["CREATED", "UPDATED", "DELETED", "UNKNOWN", "updated"])
def test_what_is_asked_for_is_told(api, sandbox, element, kind):
    number = api.listening(element, callback=OUTSIDE)
    (event_id,) = sandbox.emit(
        number, object_type="contacts", object_id="c", event_type=kind, date="2026-02-03T04:05:06Z"
    )
    (event,) = api.events()
    assert event["id"] == event_id
    ((name, object_id, event_type, date),) = objects(event)
    assert (name, object_id, event_type) == ("contacts", "c", kind.upper())
    if element != "microsoftgraph":
        assert date == "2026-02-03T04:05:06Z"


def test_several_calls_and_several_objects(api, sandbox):
    number = api.listening(callback=OUTSIDE)
    made = sandbox.emit(number, count=2, objects=3, object_id="o")
    events = api.events()[::-1]
    assert [event["id"] for event in events] == made
    assert [row[1] for event in events for row in objects(event)] == [f"o-{n}" for n in range(1, 7)]
    sandbox.emit(number, objects=2)
    assert len({row[1] for row in objects(api.events()[0])}) == 2


def test_defaults_are_a_resource_of_the_element(api, sandbox):
    for element, name in (("closeio", "contacts"), ("microsoftgraph", "events"), ("sfdc", "accounts")):
        sandbox.emit(api.listening(element, callback=OUTSIDE))
        assert objects(api.events()[0])[0][0] == name


def test_all_instances_of_an_element(api, sandbox):
    listening = [api.listening(callback=OUTSIDE) for _ in range(3)]
    api.create()
    api.listening("sfdc")
    made = sandbox.emit(element="closeio", count=2)
    assert len(made) == 6
    assert all(len(api.events(number)) == 2 for number in listening)


def test_a_body_of_ones_own(api, sandbox):
    number = api.listening("microsoftgraph", callback=OUTSIDE)
    body = {"value": [{"changeType": "created", "resource": "Users/a/Messages/m"}]}
    sandbox.emit(number, body=body)
    (event,) = api.events()
    assert json.loads(event["providerData"]) == body
    assert objects(event)[0][:3] == ("messages", "m", "CREATED")


def test_nothing_comes_of_an_instance_that_does_not_listen(api, sandbox):
    number = api.create()["id"]
    assert sandbox.emit(number) == []
    answer = sandbox.control("POST", "/events", {"instance_id": number})
    assert answer == {"events": [], "dropped": {"events_off": 1}}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"instance_id": 1, "element": "closeio"}, 400),
        ({"instance_id": 1}, 404),
        ({"instance_id": True}, 404),
        ({"instance_id": "x"}, 404),
        ({"element": "nothing"}, 400),
        ({"element": 5}, 400),
        ({"element": "closeio"}, 404),
        ({"element": "sfdc", "nothing": 1}, 400),
        *(
            ({"element": "sfdc", **fields}, 400)
            for fields in (
                {"count": 0},
                {"count": True},
                {"count": "1"},
                {"count": 1_000_000},
                {"objects": 20_000},
                {"event_type": "MOVED"},
                {"event_type": None},
                {"object_id": 5},
                {"date": "yesterday"},
                {"date": 5},
            )
        ),
    ],
)
def test_requests_that_do_not_fit(api, sandbox, body, status):
    api.listening("sfdc")
    with pytest.raises(SandboxError, match=str(status)):
        sandbox.control("POST", "/events", body)
    assert sandbox.event_counters()["accepted"] == 0


def emit(sandbox, *options, **settings):
    return subprocess.run(
        [*COMMAND, "--url", sandbox.url, *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **settings,
    )


def test_the_command_line_takes_the_inbound_route(api, sandbox):
    number = api.listening("microsoftgraph", callback=OUTSIDE)
    done = emit(
        sandbox,
        *("--instance", str(number), "--object-type", "events", "--event-type", "updated"),
        *("--object-id", "AAMk", "--count", "2"),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 vendor calls, 2 events\n", "")
    assert [objects(event)[0][:3] for event in api.events()] == [
        ("events", "AAMk-2", "UPDATED"),
        ("events", "AAMk-1", "UPDATED"),
    ]
    assert sandbox.counters()["by_call"]["POST /events/{element}/{instance}"] == 2


def test_the_command_line_as_a_poller_and_with_a_body(api, sandbox):
    one, two = api.listening("sfdc", callback=OUTSIDE), api.listening("sfdc", callback=OUTSIDE)
    done = emit(sandbox, "--element", "sfdc", "--objects", "12")
    assert done.stdout == "2 vendor calls, 4 events\n"
    assert len(api.events(one)) == len(api.events(two)) == 2
    done = emit(sandbox, "--instance", str(one), "--body", "-", input='{"any": "thing"}')
    assert done.returncode == 0
    assert api.events(one)[0]["providerData"] == '{"any": "thing"}'


def test_the_command_line_says_what_is_wrong(api, sandbox, capsys):
    number = api.create()["id"]
    other = api.listening()
    sandbox.set_instance(other, disabled=True)
    for options, code, part in (
        (["--instance", str(number)], 1, "events_off"),
        (["--element", "closeio"], 1, "instance_disabled"),
        (["--instance", "1"], 1, "no instance 1"),
        (["--element", "sfdc"], 1, "no sfdc instance with events on"),
        (["--instance", str(number), "--count", "0"], 2, "count"),
        (["--instance", str(number), "--body", "{"], 2, "body"),
        (["--instance", str(number), "--event-type", "moved"], 2, "moved"),
        ([], 2, "--instance"),
        (["--instance", "1", "--url", "http://127.0.0.1:1"], 1, "no sandbox answers"),
        (["--instance", "1", "--url", "x"], 2, "--url"),
    ):
        assert exit_code("emit", "--url", sandbox.url, *options) == code, options
        said = capsys.readouterr().err
        assert part in said.replace("MOVED", "moved")
        assert "Traceback" not in said


def exit_code(*arguments):
    """Run the command in this process, where an error that it does not report is this test's."""
    try:
        return main(arguments)
    except SystemExit as ended:
        return ended.code
