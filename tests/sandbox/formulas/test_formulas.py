"""Formulas over HTTP: facts F401 to F411."""

import pytest

COUNT, CREATE, FAIL, ECHO = 8101, 8102, 8103, 8104


def made(api, formula=ECHO, **fields):
    answer = api("POST", f"/formulas/{formula}/instances", json={"name": "One", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def run(api, instance, payload=None):
    answer = api("POST", f"/formulas/instances/{instance['id']}/executions", json=payload or {})
    assert answer.status_code == 200, answer.text
    (execution,) = answer.json()
    return execution


def read(api, execution, rest=""):
    answer = api("GET", f"/formulas/instances/executions/{execution['id']}{rest}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_formulas_are_listed(api):
    found = api("GET", "/formulas", params={"pageSize": 3})
    assert [row["id"] for row in found.json()] == [COUNT, CREATE, FAIL]
    token = found.headers["Elements-Next-Page-Token"]
    assert [row["id"] for row in api("GET", "/formulas", params={"nextPage": token}).json()] == [ECHO]
    one = api("GET", f"/formulas/{COUNT}").json()
    assert one == found.json()[0]
    assert [step["name"] for step in one["steps"]] == ["list-contacts", "count"]
    assert one["steps"][0]["onSuccess"] == ["count"]
    assert one["configuration"][0]["key"] == "crm"
    api.refused(api("GET", "/formulas/1"), 404)


def test_an_instance_is_made_found_switched_and_deleted(api):
    number = api.create("sfdc")["id"]
    one = made(api, COUNT, configuration={"crm": str(number)}, settings={"api": "x"})
    assert isinstance(one["id"], int)
    assert (one["active"], one["formula"]["id"], one["settings"]) == (True, COUNT, {"api": "x"})
    two = made(api, name="Other", active=False)
    for params, expected in (
        ({}, [one, two]),
        ({"elementInstanceId": number}, [one]),
        ({"searchText": "oth"}, [two]),
        ({"searchText": "none"}, []),
    ):
        assert api("GET", "/formulas/instances", params=params).json() == expected
    assert api("GET", f"/formulas/{ECHO}/instances").json() == [two]
    path = f"/formulas/{COUNT}/instances/{one['id']}"
    assert api("GET", path).json() == one
    assert api("GET", f"/formulas/instances/{one['id']}").json() == one
    api.refused(api("GET", f"/formulas/{ECHO}/instances/{one['id']}"), 404)
    assert api("DELETE", f"{path}/active").status_code == 200
    assert api("GET", path).json()["active"] is False
    api.refused(api("POST", f"{path}/executions", json={}), 400)
    assert api("PUT", f"{path}/active").status_code == 200
    assert api("PUT", path, json={"name": "New"}).json() == {**one, "name": "New"}
    assert api("DELETE", path).content == b""
    api.refused(api("GET", path), 404)
    api.refused(api("DELETE", path), 404)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "crm"),
        ({"configuration": {"crm": 5}}, "element instance"),
        ({"configuration": []}, "configuration"),
        ({"active": "yes"}, "active"),
        ({"name": 1}, "name"),
    ],
)
def test_what_a_create_refuses(api, fields, word):
    assert word in api.refused(api("POST", f"/formulas/{COUNT}/instances", json=fields), 400)["message"]
    assert api("GET", "/formulas/instances").json() == []


def test_an_execution_and_its_steps(api, sandbox):
    instance = api.create("sfdc")
    sandbox.set_records(instance["id"], "contacts", 41)
    execution = run(api, made(api, COUNT, configuration={"crm": instance["id"]}))
    assert execution["status"] == "pending"
    shown = read(api, execution)
    assert (shown["status"], shown["formulaInstanceId"]) == ("success", execution["formulaInstanceId"])
    assert shown["stepExecutions"] == read(api, execution, "/steps")
    steps = {step["stepName"]: step for step in shown["stepExecutions"]}
    assert steps["count"]["status"] == "success"
    assert steps["count"]["stepExecutionValues"] == [{"key": "count.count", "value": "41"}]
    assert read(api, execution, "/errors") == []


def test_a_formula_writes_through_an_instance(api):
    instance = api.create("sfdc")
    formula = made(api, CREATE, configuration={"crm": instance["id"]})
    answer = api("POST", f"/formulas/{CREATE}/instances/{formula['id']}/executions", json={"LastName": "New"})
    assert read(api, answer.json()[0])["status"] == "success"
    assert api("GET", "/contacts", token=instance["token"]).json()[3]["LastName"] == "New"
    assert read(api, run(api, formula), "/errors") == [
        {"stepName": "read-payload", "error": "The trigger has no payload"}
    ]


def test_a_step_that_fails(api):
    execution = run(api, made(api, FAIL), {"a": 1})
    shown = read(api, execution)
    assert shown["status"] == "failed"
    assert [step["status"] for step in shown["stepExecutions"]] == ["success", "failed"]
    assert read(api, execution, "/errors")[0]["stepName"] == "fail"


def test_cancelling(api, sandbox):
    sandbox.configure(formula_duration=1000)
    instance = api.create("sfdc")
    execution = run(api, made(api, CREATE, configuration={"crm": instance["id"]}), {"LastName": "New"})
    path = f"/formulas/instances/executions/{execution['id']}"
    assert read(api, execution)["status"] == "pending"
    api.refused(api("PATCH", path, json={"status": "success"}), 400)
    assert api("PATCH", path, json={"status": "cancelled"}).json()["status"] == "cancelled"
    api.refused(api("PATCH", path, json={"status": "cancelled"}), 400)
    api.refused(api("PATCH", "/formulas/instances/executions/1", json={"status": "cancelled"}), 404)
    assert len(api("GET", "/contacts", token=instance["token"]).json()) == 3


def test_retries(api, sandbox):
    sandbox.plan_formula("fail", message="Out of luck")
    execution = run(api, made(api))
    path = f"/formulas/instances/executions/{execution['id']}/retries"
    assert read(api, execution, "/errors") == [{"stepName": "echo", "error": "Out of luck"}]
    sandbox.plan_formula("stay")
    assert api("PUT", path, json={}).json()["status"] == "retry"
    assert read(api, execution)["status"] == "retry"
    assert api("DELETE", path).status_code == 200
    assert read(api, execution)["status"] == "failed"
    api("PUT", path, json={})
    assert read(api, execution)["status"] == "success"
    api.refused(api("PUT", path, json={}), 400)
    api.refused(api("PUT", "/formulas/instances/executions/1/retries", json={}), 404)


def test_executions_are_listed(api, sandbox):
    formula = made(api)
    one = run(api, formula, {"objectId": "7", "eventId": "a"})
    two = run(api, formula, {"objectId": 7})
    run(api, made(api), {"objectId": "7"})
    path = f"/formulas/instances/{formula['id']}/executions"
    for params, expected in (
        ({}, [one, two]),
        ({"objectId": "7"}, [one, two]),
        ({"eventId": "a"}, [one]),
        ({"eventId": "b"}, []),
        ({"pageSize": 1}, [one]),
    ):
        found = api("GET", path, params=params).json()
        assert [row["id"] for row in found] == [row["id"] for row in expected]
    seen = sandbox.formula_executions()
    assert len(seen) == 3
    assert seen[0]["stepExecutions"] == {"echo": "success"}
    api("DELETE", f"/formulas/instances/{formula['id']}")
    api.refused(api("GET", f"/formulas/instances/executions/{one['id']}"), 404)


def test_plans_are_seen_and_forgotten(api, sandbox):
    sandbox.plan_formula("stay", count=None)
    assert sandbox.control("GET", "/formulas")["plans"][0]["outcome"] == "stay"
    assert read(api, run(api, made(api)))["status"] == "pending"
    sandbox.control("DELETE", "/formulas")
    assert read(api, run(api, made(api)))["status"] == "success"
    sandbox.reset()
    assert sandbox.formula_executions() == []


@pytest.mark.parametrize(
    "body", [{"outcome": "x"}, {"step": 1}, {"message": 1}, {"count": 0}, {"count": True}, {"x": 1}]
)
def test_a_plan_that_does_not_fit(sandbox, api, body):
    api.refused(api.session.post(f"{sandbox.url}/sandbox/formulas", json=body, timeout=20), 400)


def test_what_is_not_emulated_says_so(api):
    for method, path in (("POST", "/formulas/8101/configuration"), ("GET", "/formulas/8101/triggers")):
        assert "does not emulate" in api.refused(api(method, path, json={}), 404)["message"]
