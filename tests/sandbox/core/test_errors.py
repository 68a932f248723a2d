"""Statuses and bodies of errors, and the headers of every answer: facts F41 to F49."""

import json

import pytest

EXPOSED = (
    "Elements-Returned-Count",
    "Elements-Total-Count",
    "Elements-Request-Id",
    "Elements-Next-Page-Token",
    "Elements-Trace-Id",
    "Elements-Error",
    "Content-Disposition",
)


def test_every_answer_has_the_headers(api):
    for answer in (api("GET", "/instances"), api("GET", "/instances/1"), api("DELETE", "/instances/1")):
        for name in EXPOSED:
            assert name in answer.headers["Access-Control-Expose-Headers"]
        assert len(answer.headers["Elements-Request-Id"]) == 24
        assert answer.headers["Elements-Trace-Id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/elements"),
        ("POST", "/instances/5"),
        ("HEAD", "/organizations/me"),
        ("PATCH", "/elements/sfdc/instances/5"),
        ("POST", "/instances/count"),
    ],
)
def test_a_wrong_verb_is_405(api, method, path):
    answer = api(method, path)
    assert answer.status_code == 405
    assert answer.headers["Allow"]
    if method != "HEAD":
        api.refused(answer, 405)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"  ",
        b"{",
        b"[1]",
        b'"text"',
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": NaN}',
        b'{"a": Infinity}',
    ],
)
def test_a_body_that_is_no_json_object_is_400(api, content):
    answer = api("POST", "/instances", data=content, headers={"Content-Type": "application/json"})
    api.refused(answer, 400)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_only_looks_like_json_is_400(api, sandbox, constant):
    body = json.dumps(api.body(name="number")).replace('"number"', constant)
    api.refused(api("POST", "/instances", data=body, headers={"Content-Type": "application/json"}), 400)
    assert sandbox.instances() == []


def test_another_content_type_is_415(api):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        api.refused(api("POST", "/instances", data="{}", headers={"Content-Type": kind}), 415)
    charset = {"Content-Type": "application/json; charset=utf-8"}
    api.refused(api("POST", "/instances", data="{}", headers=charset), 400)


def test_an_accept_header_without_json_is_406(api):
    api.refused(api("GET", "/instances", headers={"Accept": "text/csv"}), 406)
    assert (
        api("GET", "/instances", headers={"Accept": "text/html, application/json;q=0.5"}).status_code == 200
    )


@pytest.mark.parametrize(
    "path",
    [
        "/instances/5",
        "/instances/abc",
        "/instances/-1",
        "/instances/1e3",
        "/instances/99999999999999999999999",
        "/instances/5/nothing",
        "/formulas/nothing",
        "/elements/nothing",
        "/elements/nothing/configuration",
        "/elements/nothing/instances",
    ],
)
def test_what_does_not_exist_is_404(api, path):
    api.refused(api("GET", path), 404)


def test_a_body_over_8_mb_is_429(api):
    big = b'{"name": "' + b"x" * (8 * 1024 * 1024) + b'"}'
    api.refused(api("POST", "/instances", data=big, headers={"Content-Type": "application/json"}), 429)
    # The connection is still good.
    assert api("GET", "/instances").status_code == 200


def test_outside_of_the_api_there_is_only_the_start_page(api, sandbox):
    assert api.session.get(f"{sandbox.url}/", timeout=20).status_code == 200
    for path in ("/start", "/elements/api-v1/instances", "/elements"):
        api.refused(api.session.get(sandbox.url + path, timeout=20), 404)


def test_a_bug_of_the_sandbox_is_a_500_that_quotes_nothing(api, sandbox, monkeypatch, caplog):
    from airflow_provider_cloudelements.sandbox.instances import calls as instances

    def broken(*_args, **_options):
        raise KeyError("the-secret-value")

    monkeypatch.setattr(instances, "instance_view", broken)
    body = api.refused(api("GET", "/instances/" + str(_some_instance(api, sandbox))), 500)
    assert "the-secret-value" not in str(body)
    assert "the-secret-value" not in caplog.text
    assert "KeyError" in caplog.text


def _some_instance(api, sandbox):
    """Return the id of an instance whose create was answered with a 500, after its effect."""
    api("POST", "/instances", json=api.body())
    return sandbox.instances()[0]["id"]
