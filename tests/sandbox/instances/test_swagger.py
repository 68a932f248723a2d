"""The documents of elements and instances: fact F92."""

import pytest


def operations(document):
    return [operation["operationId"] for path in document["paths"].values() for operation in path.values()]


def test_the_documents_of_an_element_and_of_its_instance(api):
    instance = api.create("microsoftgraph")
    path = f"/instances/{instance['id']}/docs"
    document = api("GET", f"/elements/{instance['elementId']}/docs").json()
    assert document["swagger"] == "2.0"
    assert set(document["paths"]) >= {"/calendars", "/calendars/{id}", "/events"}
    assert set(document["definitions"]) == {"calendars", "contacts", "events"}
    assert len(set(operations(document))) == len(operations(document)) == 18
    assert api("GET", "/elements/microsoftgraph/docs").json() == document
    assert api("GET", path).json() == document
    assert api("GET", f"{path}?version=-1").json() == document
    assert api("GET", "/instances/docs", token=instance["token"]).json() == document


def test_each_operation_and_its_definitions(api):
    path = f"/instances/{api.create()['id']}/docs"
    document = api("GET", path).json()
    for template, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            alone = api("GET", f"{path}/{operation['operationId']}").json()
            assert alone["paths"] == {template: {verb: operation}}
            definitions = api("GET", f"{path}/{operation['operationId']}/definitions").json()
            assert definitions == alone["definitions"]
            assert set(definitions) == {template.split("/")[1]}
            assert set(operation["responses"]) == {"200"}


def test_a_definition_fits_the_records(api):
    token = api.create("microsoftgraph")["token"]
    definition = api("GET", "/elements/microsoftgraph/docs").json()["definitions"]["calendars"]
    kinds = {"string": str, "boolean": bool, "object": dict}
    (record, *_) = api("GET", "/calendars", token=token).json()
    assert set(record) == set(definition["properties"])
    for name, value in record.items():
        assert type(value) is kinds[definition["properties"][name]["type"]]


@pytest.mark.parametrize(
    "rest", ["nothing", "nothing/definitions", "getLeads/more", "getLeads/definitions/x"]
)
def test_what_is_not_there_is_404(api, rest):
    api.refused(api("GET", f"/instances/{api.create()['id']}/docs/{rest}"), 404)
    api.refused(api("GET", "/elements/nothing/docs"), 404)
    api.refused(api("GET", "/instances/1/docs/getLeads"), 404)


def test_one_operation_by_the_token_alone(api):
    instance = api.create()
    for rest in ("getLeads", "getLeads/definitions"):
        alone = api("GET", f"/instances/docs/{rest}", token=instance["token"])
        assert alone.json() == api("GET", f"/instances/{instance['id']}/docs/{rest}").json()
    api.refused(api("GET", "/instances/docs/getLeads"), 401)


def test_host_and_schemes(api, sandbox):
    path = f"/instances/{api.create()['id']}/docs"
    document = api("GET", path).json()
    assert f"{document['schemes'][0]}://{document['host']}" == sandbox.url
    other = api("GET", path, params={"baseUrl": "https://h.example"}).json()
    assert (other["schemes"], other["host"]) == (["https"], "h.example")
    definition = document["definitions"]["leads"]
    assert definition["x-primary-key"] == "id"
    assert "x-mask" in definition["properties"]["date_created"]
