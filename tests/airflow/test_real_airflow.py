"""The examples in real Airflow processes, and the search for secrets in all that they leave behind."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import airflow.sdk
import pytest
from airflow import __version__ as airflow_version

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.demo_connections import connections
from scripts.local_airflow import LocalAirflow
from scripts.postgres import postgres
from scripts.warehouse import CONNECTION, LOADS, warehouses
from tests.support.leaks import Finding, forms, left_behind, search, secrets_in
from tests.support.patience import eventually
from tests.support.platform import Person
from tests.support.programs import needs, needs_postgresql
from tests.support.warehouse import ask

#: On the older lines the modules of the lane "shared" search as well, and every example runs in process.
pytestmark = [pytest.mark.processes, pytest.mark.newest]

ROOT = Path(__file__).resolve().parents[2]
#: Airflow 3.1's client logs as an error that a Variable does not exist: here that of a new watcher's cursor.
#: Airflow 3.2 and later log it at level "debug".
NAMES_MISSING_VARIABLES = airflow_version.startswith("3.1.")
MISSING_VARIABLE = re.compile(
    r"\[error +\] Variable not found +\[airflow\.sdk\.api\.client\] "
    r".* key=cloudelements_watcher_[0-9a-f]{16} "
)
#: The DAG that proves that the search finds something: it shows a secret wherever a careless one would.
PLANTED = "planted-secret/with+all=of-it"
CARELESS = f"""
import base64
from urllib.parse import quote
from airflow.sdk import DAG, task

with DAG("careless", schedule=None):

    @task
    def show(plain):
        print("raw:", plain)
        print("quoted:", quote(plain, safe=""))
        print("base64:", base64.b64encode(("user:" + plain + "@").encode()).decode())
        return plain

    show({PLANTED!r})
"""


@dataclass
class Ran:
    """What ran where."""

    airflow: LocalAirflow
    sandbox: Sandbox
    runs: dict[str, str]
    states: dict[str, str]
    secrets: dict[str, str]
    warehouse: dict[str, Any] | None

    def logs_of_failed(self, dag_id):
        """Yield of each failed task what the end of its log says, and what the scheduler's says of errors."""
        for each in self.airflow.task_instances(dag_id, self.runs[dag_id]):
            if each["state"] == "failed":
                place = (dag_id, self.runs[dag_id], each["task_id"], each["try_number"], each["map_index"])
                yield f"{dag_id}, {each['task_id']}: {self.airflow.task_log(*place)[-3000:]}"
        # Why a task never began stands in the log of the process that started it.
        printed = (self.airflow.home / "processes" / "scheduler.log").read_text(errors="replace")
        yield "scheduler: " + printed[max(0, printed.find("[error")) :][:5000]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("sqlite", marks=pytest.mark.lane("examples on SQLite")),
        pytest.param("postgresql", marks=pytest.mark.lane("examples on PostgreSQL")),
    ],
)
def database(request):
    """The metadata database: Airflow's default, and the one that it is run with."""
    if request.param == "sqlite":
        yield None
    else:
        needs_postgresql()
        with postgres() as address:
            yield address


@pytest.fixture(scope="module")
def ran(database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dags")
    for path in (ROOT / "example_dags").glob("example_*.*"):
        (folder / path.name).write_text(path.read_text())
    (folder / "careless.py").write_text(CARELESS)
    (ten_lines,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    (folder / "example_ten_lines.py").write_text(ten_lines)
    with (
        warehouses() as warehouse,
        Sandbox(process=True) as sandbox,
        LocalAirflow(folder, sql_alchemy_conn=database) as airflow,
    ):
        known = connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret) | warehouse
        for conn_id, connection in known.items():
            airflow.add_connection(conn_id, **connection)
        app = known["microsoft_graph_app"]
        files = {"folder": f"file://{tmp_path_factory.mktemp('files')}"}
        code = sandbox.code(client_id=app["login"], oauth_callback_url=app["extra"]["oauth_callback_url"])
        confs = {
            "example_microsoft_graph_events": {"authorization_code": code},
            "example_events_after_outage": {"settle_seconds": 0},
            **dict.fromkeys(("example_download_contacts", "example_nightly_changes"), files),
        }
        prepare(sandbox)
        # After the others: what the README makes, and what is rotated or compared, are instances of examples.
        late = {
            "example_ten_lines",
            "example_drift_check",
            "example_events_after_outage",
            "example_rotate_secret",
        }
        # An asset's event starts it, and it needs PostgreSQL.
        started = {LOADS}
        names = [path.stem for path in sorted(folder.glob("*.py")) if path.stem not in late | started]
        airflow.unpause(LOADS)
        runs = {name: airflow.trigger(name, confs.get(name)) for name in names}
        pasted = {asking[0]: answer(airflow, sandbox, runs[asking[0]], *asking) for asking in ASKING}
        maker = "example_microsoft_graph_events"
        states = {maker: airflow.wait_run(maker, runs[maker], timeout=240)}
        (calendar,) = (each["id"] for each in sandbox.instances() if each["name"] == "My calendar")
        sandbox.emit(calendar, object_type="events", object_id=NOT_DELIVERED)
        states |= {name: airflow.wait_run(name, run_id, timeout=240) for name, run_id in runs.items()}
        for name in sorted(late):
            runs[name] = airflow.trigger(name, confs.get(name))
            states[name] = airflow.wait_run(name, runs[name])
        secrets = (
            secrets_in(known)
            | pasted
            | OLD_SECRETS
            | {
                "element token": airflow.xcom(
                    "example_microsoft_graph_events",
                    runs["example_microsoft_graph_events"],
                    "create_instance",
                    key="token",
                ),
                "spent code": code,
                "planted": PLANTED,
            }
        )
        yield Ran(airflow, sandbox, runs, states, secrets, warehouse.get(CONNECTION))


#: What changed while the receiver was down, which it is for ever: the sandbox sends nothing so far.
NOT_DELIVERED = "meeting-in-the-outage"
#: DAGs that ask a person, the task that asks, and its map index.
ASKING = (("example_consent_by_person", "consent.ask_person", -1), ("example_nightly_check", "ask_person", 0))
#: What a person's instances were made with, before the DAGs gave them what the connections say.
OLD_SECRETS = {
    "old app secret": "app-secret-of-before/1+2=",
    "signature key in use": "signature-key/of+before=",
}


def prepare(sandbox):
    """Make what was there before: an instance to take over, and one whose access was taken back."""
    person = Person(sandbox)
    configuration = {
        "oauth.api.key": "client-1",
        "oauth.api.secret": OLD_SECRETS["old app secret"],
        "oauth.callback.url": "https://app.example.com/callback",
        "event.notification.signature.key": OLD_SECRETS["signature key in use"],
    }
    for name, tag in (("Ada's calendar", "ada@example.com"), ("Broken calendar", "nightly check")):
        person.make("code", name, tags=[tag], configuration=configuration)
    sandbox.configure(failed_refresh_interval=0)
    sandbox.revoke(max(each["id"] for each in sandbox.instances()))


def answer(airflow, sandbox, run_id, dag_id, task_id, map_index):
    """Do what a person does who is asked for consent, and return the code that they pasted."""
    asked = airflow.hitl(dag_id, run_id, task_id, map_index, timeout=180)
    link = asked["body"].split("(", 1)[1].split(")", 1)[0]
    address = sandbox.approve(link)
    whole = f"https://mycoolapp.example.com/?{urlencode(address)}"
    airflow.answer(dag_id, run_id, task_id, {"authorization_code": whole}, map_index)
    return address["code"]


def test_every_example_succeeds(ran):
    failed = [name for name, state in ran.states.items() if state != "success"]
    assert failed == [], "\n".join(each for name in failed for each in ran.logs_of_failed(name))


def test_one_instance_for_each_that_was_asked_for(ran):
    assert sorted(each["name"] for each in ran.sandbox.instances()) == [
        "Ada's calendar",
        "Alder",
        "Birch",
        "Broken calendar",
        "Calendar of the front desk",
        "Cedar",
        "Leads Ash",
        "Leads Elm",
        "Marketing",
        "My calendar",
        "Sales team",
        "Support team",
        "Tenant North",
        "Tenant South",
        "Tenant West",
        "acme_freshdesk",
        "globex_freshdesk",
        "initech_freshdesk",
    ]


def test_the_ten_lines_of_the_readme_find_the_instance_of_the_example(ran):
    returned = [
        ran.airflow.xcom(dag_id, ran.runs[dag_id], task_id)
        for dag_id, task_id in (
            ("example_microsoft_graph_events", "create_instance"),
            ("example_ten_lines", "create"),
        )
    ]
    assert [each["created"] for each in returned] == [True, False]
    assert returned[0]["id"] == returned[1]["id"]


def test_the_search_finds_what_was_planted_on_purpose(ran):
    findings = {each.place for each in search(places(ran), {"planted": PLANTED})}
    log = ran.airflow.task_log("careless", ran.runs["careless"], "show")
    quoted_and_encoded = forms(PLANTED) - {PLANTED.encode()}
    assert any("careless" in place and place.endswith(".log") for place in findings)
    assert {"table xcom.value", "table rendered_task_instance_fields.rendered_fields"} <= findings
    assert sum(form in log.encode() for form in quoted_and_encoded) >= 2


def test_no_secret_is_found_but_where_it_must_be(ran):
    secrets = {name: value for name, value in ran.secrets.items() if name != "planted"}
    findings = set(search(places(ran), secrets))
    token_keys = {"table xcom.value"}
    allowed = {Finding("element token", place) for place in token_keys}
    # The one named exception: a person typed the code, so it lies in the run's conf and in that task's XCom,
    # or where Airflow keeps what people answered. It is spent.
    allowed |= {Finding("spent code", "table dag_run.conf"), Finding("spent code", "table xcom.value")}
    allowed |= {
        Finding(dag_id, f"table {place}")
        for dag_id, *_ in ASKING
        for place in ("xcom.value", "hitl_detail.params_input")
    }
    if not hasattr(airflow.sdk, "ResumableJobMixin"):  # before Airflow 3.3 the answer itself is logged
        asked = {
            each
            for each in findings
            for dag_id, task_id, _ in ASKING
            if each.secret == dag_id and f"/task_id={task_id}/" in each.place
        }
        assert asked
        allowed |= asked | fired(ran)
    unexpected = findings - allowed
    assert not unexpected, sorted((each.secret, each.place) for each in unexpected)
    assert Finding("element token", "table xcom.value") in findings, "the token reached XCom"


def fired(ran):
    """
    Return the answers of people that may stand in the triggerer's own log, before Airflow 3.3.

    There Airflow logs each trigger's event, with the answer, in the task's log. If it closes that log first,
    as on a busy machine, the line goes to the triggerer's. No other line of that log may hold an answer.
    """
    log = ran.airflow.process_log("triggerer").splitlines()
    others = "\n".join(line for line in log if "Trigger fired event" not in line)
    answers = {dag_id: ran.secrets[dag_id] for dag_id, *_ in ASKING}
    told = {each.secret for each in search([("triggerer", others)], answers)}
    return {Finding(dag_id, "processes/triggerer.log") for dag_id in answers.keys() - told}


def test_in_xcom_only_the_key_token_holds_a_token(ran):
    token = ran.secrets["element token"]
    holders = set()
    for name, run_id in ran.runs.items():
        for ti in ran.airflow.task_instances(name, run_id):
            path = f"/dags/{name}/dagRuns/{run_id}/taskInstances/{ti['task_id']}/xcomEntries"
            for entry in ran.airflow.rest("GET", path, map_index=ti["map_index"])["xcom_entries"]:
                value = ran.airflow.xcom(name, run_id, ti["task_id"], entry["key"], ti["map_index"])
                if token in json.dumps(value):
                    holders.add((name, ti["task_id"], entry["key"]))
    assert holders == {
        ("example_microsoft_graph_events", "create_instance", "token"),
        ("example_ten_lines", "create", "token"),
    }


def test_what_a_person_had_to_mend_is_mended(ran):
    states = {each["name"]: (each["valid"], each["disabled"]) for each in ran.sandbox.instances()}
    assert states["Broken calendar"] == (True, False)
    tasks = ran.airflow.task_states("example_nightly_check", ran.runs["example_nightly_check"])
    # The connection alone could not.
    assert (tasks["mend[0]"], tasks["reauthenticate[0]"]) == ("failed", "success")


def test_what_was_not_delivered_in_an_outage_is_processed(ran):
    dag_id = "example_events_after_outage"
    found, told = (ran.airflow.xcom(dag_id, ran.runs[dag_id], task_id) for task_id in ("compare", "process"))
    assert NOT_DELIVERED in [row["object_id"] for row in found["events"]]
    assert (found["delivered"], told) == (0, found["count"])
    assert NOT_DELIVERED in ran.airflow.task_log(dag_id, ran.runs[dag_id], "process")


def test_what_was_waited_for_is_handled(ran):
    dag_id = "example_wait_for_event"
    handled = ran.airflow.xcom(dag_id, ran.runs[dag_id], "handle")
    assert f"CREATED {NOT_DELIVERED}" in handled


def test_the_file_that_a_bulk_download_wrote_is_loaded_into_postgresql(ran):
    if ran.warehouse is None:
        needs("PostgreSQL", [])
    airflow, dag_id = ran.airflow, "example_download_contacts"
    file = airflow.xcom(dag_id, ran.runs[dag_id], "download_contacts")

    def run():
        found = airflow.rest("GET", f"/dags/{LOADS}/dagRuns", run_type="asset_triggered")["dag_runs"]
        return next((each["dag_run_id"] for each in found), None)

    run_id = eventually(run)
    assert airflow.wait_run(LOADS, run_id) == "success"
    (copy,) = (each for each in airflow.task_instances(LOADS, run_id) if each["task_id"] == "load")
    assert copy["rendered_map_index"] == Path(file["path"]).name
    assert airflow.xcom(LOADS, run_id, "load", map_index=0) == file["rows"]
    rows = ask(ran.warehouse, "SELECT id FROM contacts ORDER BY id")
    assert rows == [(f"cont_{number:012d}",) for number in range(1, file["rows"] + 1)]


def handled_by_watcher(ran) -> list[str]:
    """Return the ids of the objects that runs of the example were given."""
    dag_id = "example_events_by_watcher"
    runs = ran.airflow.rest("GET", f"/dags/{dag_id}/dagRuns", state="success", limit=100)["dag_runs"]
    found = [ran.airflow.xcom(dag_id, each["dag_run_id"], "what_changed")["changes"] for each in runs]
    return [change["object_id"] for changes in found for change in changes]


def test_a_watcher_starts_the_example_and_of_many_at_once_it_misses_none(ran):
    dag_id, airflow = "example_events_by_watcher", ran.airflow
    eventually(lambda: NOT_DELIVERED in handled_by_watcher(ran))
    (asset,) = airflow.rest("GET", "/assets", name_pattern="example meetings")["assets"]
    objects = [f"burst-{number}" for number in range(12)]
    for each in objects:
        rows = [{"instance_id": 1, "event_type": "CREATED", "object_id": each}]
        body = {"asset_id": asset["id"], "extra": {"payload": {"watcher": "by hand", "events": rows}}}
        airflow.rest("POST", "/assets/events", body)
    # What its schedule does within a quarter of an hour.
    body = {"dag_run_id": "by_time", "logical_date": None}
    airflow.rest("POST", f"/dags/{dag_id}/dagRuns", body)
    assert airflow.wait_run(dag_id, "by_time", timeout=180) == "success"
    assert sorted(each for each in handled_by_watcher(ran) if each in objects) == sorted(objects)


def test_the_rotation_gave_the_instance_the_secret_of_the_connection(ran):
    dag_id = "example_rotate_secret"
    changed = ran.airflow.xcom(dag_id, ran.runs[dag_id], "rotate", map_index=0)["changed"]
    assert changed == [], "it was made with this secret, as its fingerprint tells"


def test_what_was_pasted_shows_in_no_rendered_field(ran):
    for dag_id, asks, map_index in ASKING:
        task = asks.replace("ask_person", "create_instance" if map_index < 0 else "reauthenticate")
        fields = ran.airflow.rendered_fields(dag_id, ran.runs[dag_id], task, map_index)
        assert fields["authorization_code"] == "***"


def test_rendered_fields_show_asterisks(ran):
    name = "example_microsoft_graph_events"
    fields = ran.airflow.rendered_fields(name, ran.runs[name], "create_instance")
    assert fields["authorization_code"] == "***"
    assert fields["instance_name"] == "My calendar"
    fields = ran.airflow.rendered_fields(name, ran.runs[name], "list_calendars")
    assert fields["op_kwargs"]["token"] == "***"


def test_nothing_logs_an_error_at_start_up(ran):
    for name in ("api-server", "scheduler", "triggerer", "dag-processor"):
        lines = [
            line
            for line in ran.airflow.process_log(name).splitlines()
            if "cloudelements" in line.lower()
            and ("error" in line.lower() or "traceback" in line.lower())
            and "task_id=" not in line  # what a task logs is the task's
            and not (NAMES_MISSING_VARIABLES and MISSING_VARIABLE.search(line))
        ]
        assert not lines, (name, lines)


def test_the_form_s_api_shows_both_types_with_a_description_on_every_field(ran):
    known = {each["connection_type"]: each for each in hook_meta(ran.airflow)}
    account, element = known["cloudelements"], known["cloudelements_element"]
    assert account["hook_name"] == "Cloud Elements / SAP Open Connectors"
    assert account["extra_fields"]["organization_secret"]["schema"]["format"] == "password"
    assert element["extra_fields"]["authentication"]["schema"]["enum"] == ["oauth2", "basic", "custom"]
    for each in (account, element):
        assert all(field["description"] for field in each["extra_fields"].values())


def hook_meta(airflow: LocalAirflow) -> list[dict[str, Any]]:
    """Return what the UI's form is made from."""
    return airflow.send(
        "GET",
        f"{airflow.url}/ui/connections/hook_meta",
        None,
        {"Authorization": f"Bearer {airflow.token()}"},
    )


def places(ran: Ran):
    return left_behind(ran.airflow, ran.sandbox)


@pytest.mark.lane("examples on PostgreSQL")
def test_a_secret_is_found_in_every_form_it_may_take():
    secret = "a-secret/with+all=signs"
    texts = [secret, "a-secret%2Fwith%2Ball%3Dsigns", "a-secret/with%2Ball%3Dsigns"]
    texts += [
        base64.b64encode(f"{before}{secret}{after}".encode()).decode()
        for before in ("", "u:", "us:")
        for after in ("", "!")
    ]
    for text in texts:
        assert list(search([("here", f"x{text}y")], {"s": secret})) == [Finding("s", "here")], text
    assert not list(search([("here", "nothing")], {"s": secret}))
