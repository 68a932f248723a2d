"""What a create may also ask for: its objects, and a trace of its authentication. Facts F191, F136."""

import pytest


def trace(api, answer, element):
    return api("GET", f"/elements/{element}/trace/{answer.headers['Elements-Trace-Id']}")


@pytest.mark.parametrize("path", ["/instances", "/elements/sfdc/instances"])
def test_objects_are_listed_with_their_origin_on_request(api, path):
    body = api.body("sfdc", retrieveObjectsAfterInstantiation=True)
    created = api("POST", path, json=body).json()
    names = api("GET", "/objects", token=created["token"]).json()
    kinds = {"ceCanonical": names, "vendor": ["Account", "Contact", "Lead", "Opportunity"]}
    for kind, expected in kinds.items():
        assert [row["name"] for row in created["objects"] if row["type"] == kind] == expected
    assert all(row.keys() == {"name", "vendorName", "type"} for row in created["objects"])
    assert "objects" not in api.show(created["id"])
    assert "objects" not in api.create("sfdc")
    assert "objects" not in api.create("sfdc", retrieveObjectsAfterInstantiation=False)
    wrong = api.body("sfdc", retrieveObjectsAfterInstantiation="perhaps")
    api.refused(api("POST", path, json=wrong), 400)


@pytest.mark.parametrize("debug", [True, "true"])
def test_a_create_with_debug_leaves_a_trace(api, sandbox, debug):
    body = api.body("sfdc", providerData={"code": sandbox.code("sfdc"), "debug": debug})
    answer = api("POST", "/instances", json=body)
    assert answer.status_code == 200
    for element in ("sfdc", answer.json()["elementId"]):
        found = trace(api, answer, element).json()
        assert found["traceId"] == answer.headers["Elements-Trace-Id"]
        assert (found["elementKey"], found["success"]) == ("sfdc", True)
    api.refused(trace(api, answer, "closeio"), 404)
    sandbox.reset()
    api.refused(trace(api, answer, "sfdc"), 404)


def test_the_trace_of_a_refused_create_says_what_the_vendor_said(api):
    body = api.body("closeio", providerData={"debug": True})
    body["configuration"]["password"] = "rejected-password"
    answer = api("POST", "/elements/closeio/instances", json=body)
    refused = api.refused(answer, 400)
    found = trace(api, answer, "closeio")
    assert found.json()["success"] is False
    assert found.json()["providerMessage"] == refused["providerMessage"]
    assert "rejected-password" not in found.text


def test_no_trace_without_debug_or_without_the_vendor(api):
    for body in (
        api.body("sfdc"),
        api.body("closeio", providerData={"debug": False}),
        api.body("closeio", configuration={}, providerData={"debug": True}),
    ):
        answer = api("POST", "/instances", json=body)
        api.refused(trace(api, answer, body["element"]["key"]), 404)


def test_the_sandbox_keeps_the_last_traces_only():
    from airflow_provider_cloudelements.sandbox.elements.catalogue import ELEMENTS
    from airflow_provider_cloudelements.sandbox.instances.traces import Traces

    traces = Traces()
    for number in range(1500):
        traces.note(str(number), ELEMENTS[0])
    assert traces.view("0", ELEMENTS[0]) is None
    assert traces.view("1499", ELEMENTS[0]) is not None
