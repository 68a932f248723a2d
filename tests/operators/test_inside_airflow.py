"""The operators inside Airflow, by dag.test(): rendering, mapping, tries, set-up and teardown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_cloudelements.client.tags import Identity
from tests.support.patience import wait_for
from tests.support.platform import EVENTS, WAYS, Wire, presented
from tests.support.receiver import receiving
from tests.support.runs import Run

pytestmark = pytest.mark.airflow

FOLDER = Path(__file__).parent / "dags"
SECRETS = {
    "password": "jinja-password-1",
    "api_key": "jinja-api-key-1",
    "api_secret": "jinja-api-secret-1",
    "signature": "jinja-signature-1",
    "realm": "jinja-realm-1",
    "new_password": "jinja-new-password-1",
}


@pytest.fixture(scope="module")
def dags(load_dags):
    return load_dags(FOLDER / "heart_dags.py")


@pytest.fixture
def run(dags, sandbox, monkeypatch):
    from airflow import settings

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))

    def run_dag(dag, **conf):
        return Run(getattr(dags, dag).test(run_conf={**SECRETS, **conf}))

    return run_dag


def assert_no_secret(rendered, *secrets):
    text = json.dumps([[list(key), fields] for key, fields in rendered.items()], default=str)
    for secret in (*SECRETS.values(), *secrets):
        assert secret not in text


def test_plain_tasks_render_use_the_token_and_delete(run, sandbox):
    codes = [sandbox.code(), sandbox.code()]
    done = run("plain", codes=codes, name="Rendered name")
    assert done.state == "success", done.tasks
    instance = done.xcoms["create", -1, "return_value"]
    assert (instance["name"], instance["tags"]) == ("Rendered name", ["Rendered name", "Docs"])
    assert done.xcoms["create", -1, "id"] == instance["id"]
    assert done.xcoms["use", -1, "return_value"] is True
    assert done.xcoms["delete", -1, "return_value"]["deleted"] == [instance["id"]]
    assert presented(sandbox) == [1, 1]
    (left,) = sandbox.instances()
    assert left["name"] == "From XCom"

    fields = done.rendered["create", -1]
    assert fields["authorization_code"] == "***"
    assert fields["provider_data"] == {"realmId": "***"}
    assert fields["configuration"]["oauth.api.secret"] == "***"
    assert fields["configuration"]["oauth.api.key"] == "***"
    assert fields["configuration"]["oauth.scope"] == "offline_access"
    assert fields["event_configuration"] == {"event.notification.signature.key": "***"}
    assert fields["instance_name"] == "Rendered name"
    assert done.rendered["create_from_xcom", -1]["authorization_code"] == "***"
    created = {key: value for key, value in done.rendered.items() if key[0].startswith("create")}
    assert_no_secret(created, *codes)
    # Passed on by keyword, the token shows nowhere either.
    assert done.rendered["use", -1]["op_kwargs"]["token"] == "***"
    assert_no_secret(done.rendered, done.xcoms["create", -1, "token"])


def test_mapped_tasks_render_and_their_output_is_mapped_over(run, sandbox):
    tenants = {"acme": "tenant-password-1", "globex": "tenant-password-2", "initech": "tenant-password-3"}
    codes = [sandbox.code(), sandbox.code()]
    done = run("mapped", tenants=tenants, codes=codes)
    assert done.state == "success", done.tasks
    for index, name in enumerate(tenants):
        instance = done.xcoms["create_each", index, "return_value"]
        assert (instance["name"], instance["created"]) == (name, True)
        assert done.xcoms["token_of", index, "return_value"] is True
        assert done.xcoms["delete_each", index, "return_value"]["deleted"] == [instance["id"]]
        assert done.rendered["create_each", index]["configuration"] == {"username": "***", "password": "***"}
    for index in range(2):
        fields = done.rendered["create_by_code", index]
        assert fields["authorization_code"] == "***"
        assert fields["configuration"]["oauth.api.secret"] == "***"
        assert fields["instance_key"] == f"code/{index}"
    created = {key: value for key, value in done.rendered.items() if key[0].startswith("create")}
    assert len(created) == 5
    assert_no_secret(created, *codes, *tenants.values())
    assert sorted(each["name"] for each in sandbox.instances()) == ["By code", "By code"]
    assert presented(sandbox) == [1, 1]


def test_tenants_in_another_order_find_their_own(run, sandbox):
    codes = [sandbox.code()]
    first = run("mapped", tenants={"acme": "password-1"}, codes=codes)
    kept = first.xcoms["create_by_code", 0, "return_value"]
    # Deleted by the DAG itself: only the one by code is left for the second run.
    second = run("mapped", tenants={"globex": "password-2", "acme": "password-1"}, codes=codes)
    assert second.xcoms["create_by_code", 0, "return_value"] == {**kept, "created": False}
    assert presented(sandbox) == [1]


def test_a_try_after_a_lost_answer_finishes_it(run, sandbox):
    sandbox.add_fault("status", status=500, method="GET", path="/instances", skip=1)
    done = run("retry", codes=[sandbox.code()])
    assert done.state == "success", done.tasks
    assert done.tasks["create", -1] == ("success", 2)
    (there,) = sandbox.instances()
    assert done.xcoms["create", -1, "id"] == there["id"]
    assert presented(sandbox) == [1]
    assert done.rendered["create", -1]["authorization_code"] == "***"


@pytest.mark.parametrize("status", [500, 403])
def test_a_failure_callback_gets_the_id_of_what_was_made(status, run, sandbox):
    sandbox.add_fault("status", status=status, method="GET", path="/instances", skip=1)
    done = run("failing")
    (there,) = sandbox.instances()
    assert done.state == "failed"
    assert done.xcoms["create", -1, "callback"] == [there["id"]] * 2


def test_a_try_after_a_try_still_has_its_secrets(run, sandbox, person):
    wire = Wire(sandbox)
    sandbox.add_fault("drop", method="POST")
    done = run("basic_retry")
    assert done.tasks["create", -1] == ("success", 2)
    assert wire.writes() == ["POST /instances"] * 2
    # The vendor would have taken asterisks; a third task with the password finds nothing to change.
    wire = Wire(sandbox)
    assert run("basic_retry").state == "success"
    assert wire.writes() == []


def test_a_code_that_is_lost_is_looked_for_once_more_and_then_fails_though_retries_are_left(run, sandbox):
    sandbox.add_fault("drop", method="POST", count=None)
    done = run("retry", codes=[sandbox.code()])
    assert done.state == "failed"
    assert done.tasks["create", -1] == ("failed", 2)
    assert presented(sandbox) == [1]
    assert not [key for _, _, key in done.xcoms if key in ("id", "token")]


def test_the_instance_of_a_scope_is_there_for_the_work_and_gone_after_it(run, sandbox):
    done = run("scope")
    assert done.state == "success", done.tasks
    assert set(done.states().values()) == {"success"}
    deleted = done.xcoms["delete_instance", -1, "return_value"]["deleted"]
    assert deleted == [done.xcoms["work", -1, "return_value"]]
    assert sandbox.instances() == []
    again = run("scope")
    assert again.xcoms["create_instance", -1, "return_value"]["created"] is True
    assert again.xcoms["create_instance", -1, "id"] != deleted[0]


def test_the_teardown_runs_when_the_work_fails_and_the_run_fails(run, sandbox):
    done = run("scope", fail_work=True)
    assert done.state == "failed"
    assert done.states() == {
        ("create_instance", -1): "success",
        ("work", -1): "failed",
        ("delete_instance", -1): "success",
        # Without this one Airflow would judge the run by its delete alone.
        ("create_instance_work_done", -1): "failed",
    }
    assert sandbox.instances() == []
    done = run("scope_loose", fail_work=True)
    assert (done.state, done.states()["remove", -1]) == ("failed", "success")


def test_a_create_that_fails_in_a_scope_removes_what_it_made(run, sandbox):
    # The look-up after the create is refused, and no other call.
    sandbox.add_fault("status", status=403, method="GET", path="/instances", skip=1)
    done = run("scope")
    assert done.state == "failed"
    states = done.states()
    assert states["create_instance", -1] == "failed"
    assert states["work", -1] == "upstream_failed"
    # The teardown of a failed set-up does not run.
    assert states["delete_instance", -1] not in ("success", "failed")
    wanted = ["POST /instances", "DELETE /instances/N"]
    assert [call for call in Wire.of(sandbox) if not call.startswith("GET")] == wanted
    assert sandbox.instances() == []


def test_a_delete_that_fails_is_red_and_fails_the_run_unless_told_otherwise(run, sandbox):
    sandbox.add_fault("status", status=403, method="DELETE")
    done = run("scope")
    assert (done.state, done.states()["delete_instance", -1]) == ("failed", "failed")
    sandbox.reset()
    sandbox.add_fault("status", status=403, method="DELETE")
    done = run("scope_loose")
    assert (done.state, done.states()["remove", -1]) == ("success", "failed")
    assert len(sandbox.instances()) == 1


def test_the_arguments_of_a_scope_reach_its_tasks(run, sandbox):
    done = run("scope_loose")
    assert set(done.states()) == {("make", -1), ("loose_work", -1), ("remove", -1), ("make_work_done", -1)}
    assert done.xcoms["make", -1, "return_value"]["instance_key"].startswith("a key/manual__")
    assert ("make", -1, "token") not in done.xcoms
    assert sandbox.instances() == []


@pytest.mark.parametrize("dag", ["scope_fail_fast", "loose_fail_fast"])
def test_failed_work_fails_the_run_although_fail_fast_skips_what_comes_after_it(dag, run, sandbox):
    done = run(dag, fail_work=True)
    assert done.state == "failed"
    assert done.states() == {
        ("create_instance", -1): "success",
        ("work", -1): "failed",
        ("after", -1): "skipped",
        ("delete_instance", -1): "success",
        ("create_instance_work_done", -1): "failed",
    }
    assert sandbox.instances() == []


def test_failed_work_fails_the_run_although_a_later_task_takes_no_notice_of_it(run, sandbox):
    done = run("scope_caught", fail_work=True)
    assert done.state == "failed"
    states = done.states()
    assert (states["work", -1], states["tidy_up", -1]) == ("failed", "success")
    assert states["create_instance_work_done", -1] == "failed"
    assert sandbox.instances() == []
    assert run("scope_caught").state == "success"


def test_one_failed_copy_of_a_mapped_group_fails_the_run_and_no_other_copy_s_judge(run, sandbox):
    done = run("copies_fail_fast", fails="globex")
    assert done.state == "failed"
    states = done.states()
    assert states["for_tenant.work_of", 1] == "failed"
    judges = [states["for_tenant.create_instance_work_done", index] for index in range(2)]
    assert judges[1] == "failed"
    assert (judges[0] == "success") is (states["for_tenant.work_of", 0] != "failed")
    assert sandbox.instances() == []


def test_work_that_succeeds_is_a_success_under_fail_fast(run, sandbox):
    done = run("scope_fail_fast")
    assert done.state == "success", done.tasks
    assert set(done.states().values()) == {"success"}


def test_blocks_and_copies_of_a_mapped_group_have_instances_of_their_own(run, sandbox):
    done = run("scope_copies")
    assert done.state == "success", done.tasks
    made = {
        (block, index): done.xcoms[f"for_each.{block}", index, "return_value"]
        for block in ("first", "second")
        for index in range(2)
    }
    assert all(each["created"] for each in made.values())
    assert (
        len({each["id"] for each in made.values()})
        == len({each["instance_key"] for each in made.values()})
        == 4
    )
    for (block, index), each in made.items():
        assert done.xcoms[f"for_each.work_{block}", index, "return_value"] == each["id"]
        assert done.xcoms[f"for_each.delete_{block}", index, "return_value"]["deleted"] == [each["id"]]
    assert sandbox.instances() == []


@pytest.mark.parametrize("version", ["1.10", "2024"])
def test_native_rendering_leaves_texts_as_they_are(version, run, sandbox, person):
    near = person.make("basic", "1.1", tags=["1.1", *Identity("", "1.1").tags])
    done = run("native", version=version)
    assert done.state == "success", done.tasks
    made = done.xcoms["create", -1, "return_value"]
    assert (made["name"], made["instance_key"], made["tags"]) == (version, version, ["gold", version])
    assert done.xcoms["delete", -1, "return_value"]["deleted"] == [made["id"]]
    assert done.xcoms["sweep", -1, "return_value"]["deleted"] == []
    assert [each["id"] for each in sandbox.instances()] == [near]
    assert done.rendered["create", -1]["instance_key"] == version


def test_what_changes_an_instance_maps_over_what_the_create_returned(run, sandbox):
    done = run("changes")
    assert done.state == "success", done.tasks
    ids = [done.xcoms["create", index, "return_value"]["id"] for index in range(2)]
    changed = {
        "disable": ["disabled"],
        "log_in": ["password", "tags", "enabled"],
        "events_on": [
            "event.notification.enabled",
            "event.notification.callback.url",
            "event.notification.signature.key",
            "tags",
        ],
        "update": ["name", "username", "tags"],
        "events_off": ["event.notification.enabled"],
        "enable": [],
    }
    for index in range(2):
        for task, names in changed.items():
            returned = done.xcoms[task, index, "return_value"]
            assert (returned["id"], returned["changed"]) == (ids[index], names), task
    there = {each["id"]: each for each in sandbox.instances()}
    for index, instance_id in enumerate(ids):
        one = there.pop(instance_id)
        assert (one["name"], one["disabled"], one["eventsEnabled"]) == (f"Renamed {index}", False, False)
        assert one["valid"]
    assert there == {}
    assert done.rendered["log_in", 1]["configuration"] == {"password": "***"}
    assert done.rendered["events_on", 1]["event_signature_key"] == "***"
    assert done.rendered["update", 1]["instance_name"] == "Renamed 1"
    assert_no_secret(done.rendered)
    assert_no_secret({key: value for key, value in done.xcoms.items() if key[0] != "create"})
    # The key stayed, and with it the create tells that somebody renamed its instances.
    wire = Wire(sandbox)
    assert run("changes").state == "failed"
    assert wire.writes() == []


@pytest.mark.parametrize("when", ["after", "before"])
def test_a_code_is_sent_once_over_the_tries_of_a_log_in(when, run, sandbox, person):
    from airflow_provider_cloudelements.client.tags import marker_tag

    instance_id = person.make("code", "By hand", tags=[marker_tag("microsoftgraph/By hand")])
    person.disable(instance_id)
    code = sandbox.code()
    sandbox.add_fault("drop", when=when, method="PATCH")
    if when == "after":
        # The first try fails after the code was taken.
        sandbox.add_fault("status", status=500, path="/ping")
    done = run("log_in", codes=[code])
    assert done.tasks["log_in", -1] == ("success" if when == "after" else "failed", 2)
    assert presented(sandbox) == [1, 1]
    (there,) = sandbox.instances()
    assert there["disabled"] is (when == "before")
    fields = done.rendered["log_in", -1]
    assert (fields["authorization_code"], fields["provider_data"]) == ("***", {"realmId": "***"})
    assert_no_secret(done.rendered, code)


def test_a_consent_from_link_to_instance_shows_no_secret(run, sandbox, element_connection):
    app = WAYS["code"][1]
    element_connection(
        "cloudelements_element_default",
        login=app["oauth.api.key"],
        password="the-apps-secret-1",
        extra={
            "element": "microsoftgraph",
            "oauth_callback_url": app["oauth.callback.url"],
            "oauth_scope": app["oauth.scope"],
        },
    )
    done = run("consent")
    assert done.state == "success", done.tasks
    assert presented(sandbox) == [1]
    asked = done.xcoms["ask", -1, "return_value"]
    assert done.xcoms["ask", -1, "url"] == asked["url"]
    assert done.xcoms["ask", -1, "state"] == asked["state"]
    # The link of the task's page leads there, too.
    links = [value for (task, _, key), value in done.xcoms.items() if task == "ask" and "Link" in key]
    assert links == [asked["url"]]
    assert done.rendered["create", -1]["authorization_code"] == "***"
    assert_no_secret(done.rendered, "the-apps-secret-1")
    assert_no_secret(done.xcoms, "the-apps-secret-1")
    # Another run asks with another state, and finds the instance.
    again = run("consent")
    assert again.xcoms["ask", -1, "state"] != asked["state"]
    assert again.xcoms["create", -1, "return_value"]["created"] is False
    assert presented(sandbox) == [1, 1]


def test_what_an_outage_left_queued_is_released(run, sandbox, person):
    with receiving() as receiver:
        events = {**EVENTS, "event.notification.callback.url": receiver.url}
        instance = person.make("basic", configuration={**WAYS["basic"][1], **events})
        sandbox.add_fault("status", status=503, method="PATCH", path="/accounts/settings")
        done = run("outage", instance=instance)
        assert done.state == "success", done.tasks
        changed = {"policy": "queue", "before": "retry", "changed": True}
        assert done.xcoms["queue", -1, "return_value"] == changed
        assert done.xcoms["release", -1, "return_value"]["queued"] == 0
        receiver.status = 500
        sandbox.emit(instance_id=instance, count=2)
        wait_for(lambda: [each["status"] for each in sandbox.deliveries()] == ["queued", "queued"])
        receiver.status = 200
        again = run("outage", instance=instance)
        assert again.xcoms["queue", -1, "return_value"] == {**changed, "before": "queue", "changed": False}
        assert again.xcoms["release", -1, "return_value"]["queued"] == 2
        wait_for(lambda: len(receiver.taken) == 2)


@pytest.mark.parametrize(
    ("dag", "tasks"), [("plain", ["create"]), ("mapped", ["create_each", "create_by_code"])]
)
def test_where_airflow_renders_in_another_way_the_task_ends_before_anything_is_sent(
    dag, tasks, run, sandbox, monkeypatch
):
    from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator

    # As a later Airflow would that calls another private method: ours is not called.
    monkeypatch.delattr(CloudElementsBaseOperator, "_do_render_template_fields")
    wire = Wire(sandbox)
    tenants = {"acme": "tenant-password-1"}
    done = run(dag, codes=["a-code-0001", "a-code-0002"], name="A name", tenants=tenants)
    assert done.state == "failed"
    for task in tasks:
        assert {state for (name, _), state in done.states().items() if name == task} == {"failed"}
        assert not [key for key in done.rendered if key[0] == task]
    assert wire.calls() == []
    assert_no_secret(done.rendered, "a-code-0001", "a-code-0002", *tenants.values())
