"""GET /sandbox/requests: what was called, and no secret whatever arrives."""

import json
import logging

PLANTED = "pl4nted/S+cret="


def test_an_entry(api, sandbox):
    instance = api.create()
    api("GET", f"/instances/{instance['id']}/configuration?pageSize=5", token="stale")
    api("GET", "/elements/microsoftgraph/oauth/url?apiKey=k&apiSecret=s", headers={"Authorization": None})
    create, rows, url = sandbox.requests()
    assert (create["method"], create["path"], create["status"]) == ("POST", "/instances", 200)
    assert create["words"] == ["User", "Organization"]
    assert rows["path"] == f"/instances/{instance['id']}/configuration"
    assert rows["words"] == ["User", "Organization", "Element"]
    assert rows["query"] == ["pageSize"]
    assert url["path"] == "/elements/microsoftgraph/oauth/url"
    assert url["query"] == ["apiKey", "apiSecret"]
    assert (url["words"], url["status"]) == ([], 400)
    assert [entry["number"] for entry in (create, rows, url)] == [1, 2, 3]
    assert all(entry["done"] and entry["fault"] is None for entry in (create, rows, url))
    assert create["time"] <= rows["time"] <= url["time"]


def test_since_and_counters(api, sandbox):
    for _ in range(3):
        api("GET", "/instances")
    api("GET", "/elements/sfdc")
    assert [entry["path"] for entry in sandbox.requests(since=3)] == ["/elements/sfdc"]
    assert sandbox.counters() == {
        "total": 4,
        "running": 0,
        "by_call": {"GET /elements/{element}": 1, "GET /instances": 3},
        "by_status": {"200": 4},
    }


def test_control_calls_are_not_in_it(sandbox):
    sandbox.faults()
    assert sandbox.requests() == []


def test_planted_secrets_are_nowhere_in_it(api, sandbox):
    """A secret in every place of a request, names included, in several spellings."""
    quoted = "pl4nted%2FS%2Bcret%3D"
    headers = {
        "Authorization": f"{PLANTED} {PLANTED}, User {PLANTED}, Element {PLANTED}",
        PLANTED.strip("="): PLANTED,
    }
    api("GET", f"/{quoted}/{quoted}?{quoted}={quoted}&apiSecret={quoted}")
    api("GET", f"/instances/{PLANTED}?{PLANTED}")
    api("GET", "/instances", headers={"Authorization": PLANTED})
    api("GET", f"/hubs/{quoted}/{quoted}", headers={**headers, "pl4nted/S+cret": None})
    api("POST", "/instances", data=PLANTED, headers={"Content-Type": PLANTED})
    api("POST", "/instances", json=api.body("microsoftgraph", providerData={"code": PLANTED}))
    api("POST", "/instances", json=api.body(name=PLANTED, tags=[PLANTED], configuration={PLANTED: PLANTED}))
    api("PURGE", "/instances")
    api("GET", "/instances/4111111111111111")
    created = api.create(name=PLANTED)
    api("GET", f"/{created['token'].rstrip('=').replace('/', '%2F')}")
    api("GET", "/leads", token=created["token"])

    text = json.dumps([sandbox.control("GET", "/requests"), sandbox.codes(), sandbox.faults()]).lower()
    for secret in ("pl4nted", "4111111111111111", created["token"].rstrip("=")[:12].lower()):
        assert secret not in text
    assert sandbox.user_secret.lower() not in text
    assert sandbox.organization_secret.lower() not in text
    assert len(sandbox.requests()) == 12
    assert sandbox.requests()[7]["method"] == "*"


def test_the_other_control_calls_show_no_secret_either(api, sandbox):
    instance = api.create("microsoftgraph")
    text = json.dumps([sandbox.instances(), sandbox.codes(), sandbox.control("GET", ""), sandbox.configure()])
    shown = api.show(instance["id"])
    for secret in (
        instance["token"],
        "client-secret",
        shown["configuration"]["oauth.user.token"],
        sandbox.user_secret,
    ):
        assert secret not in text


def test_the_log_is_bounded():
    from airflow_provider_cloudelements.sandbox.core.journal import KEPT_ENTRIES, Journal

    journal = Journal()
    for _ in range(KEPT_ENTRIES + 50):
        journal.close(journal.open("GET", ["instances"], [True], [], []), "GET /instances", 200)
    entries = journal.entries()
    assert len(entries) == KEPT_ENTRIES
    assert entries[-1]["number"] == KEPT_ENTRIES + 50
    assert journal.counters()["total"] == KEPT_ENTRIES + 50


def test_nothing_is_logged_by_the_server_whatever_logging_is_set_up_later(api, caplog):
    logger = logging.getLogger("uvicorn.access")
    before = logger.propagate
    logger.propagate = True  # as a later logging set-up leaves it
    try:
        with caplog.at_level(logging.DEBUG):
            api("GET", f"/elements/microsoftgraph/oauth/url?apiKey=k&apiSecret={PLANTED}")
    finally:
        logger.propagate = before
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]
