"""Consent links, the login page, codes, external authentication: facts F121 to F134."""

import time
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from airflow_provider_cloudelements.sandbox import SandboxError

LINK = {
    "apiKey": "client-1",
    "apiSecret": "client-secret",
    "callbackUrl": "https://app.example/cb",
    "scope": "Calendars.Read offline_access",
}


def link(api, element="microsoftgraph", **fields):
    answer = api("GET", f"/elements/{element}/oauth/url", params={**LINK, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["oauthUrl"]


def test_get_and_post_give_the_same_link(api, sandbox):
    got = api("GET", "/elements/microsoftgraph/oauth/url", params={**LINK, "state": "s 1"}).json()
    posted = api("POST", "/elements/microsoftgraph/oauth/url", json={**LINK, "state": "s 1"}).json()
    assert got == posted
    assert set(got) == {"oauthUrl", "element"}
    assert got["element"] == "microsoftgraph"
    assert got["oauthUrl"].startswith(sandbox.url + "/sandbox/authorize/")
    assert dict(parse_qsl(urlsplit(got["oauthUrl"]).query)) == {
        "client_id": "client-1",
        "redirect_uri": "https://app.example/cb",
        "response_type": "code",
        "scope": LINK["scope"],
        "state": "s 1",
    }
    assert "client-secret" not in got["oauthUrl"]


def test_the_state_defaults_to_the_element_key(api):
    assert parse_qs(urlsplit(link(api)).query)["state"] == ["microsoftgraph"]


def test_the_default_link_uses_the_platforms_own_app(api, sandbox):
    answer = api("GET", "/elements/sfdc/oauth/url/default", params={"state": "own", "scope": "api"})
    assert set(answer.json()) == {"oauthUrl", "element", "configuration"}
    query = dict(parse_qsl(urlsplit(answer.json()["oauthUrl"]).query))
    assert query["client_id"]
    assert (query["state"], query["scope"]) == ("own", "api")
    assert query["redirect_uri"].startswith(sandbox.url)
    # Whatever a create says of key and callback, the code fits.
    code = sandbox.approve(answer.json()["oauthUrl"])["code"]
    assert api.create("sfdc", providerData={"code": code})["valid"] is True

    own = {"callbackUrl": "https://app.example/cb", "apiKey": "ignored"}
    url = api("GET", "/elements/7302/oauth/url/default", params=own).json()["oauthUrl"]
    again = dict(parse_qsl(urlsplit(url).query))
    assert (again["client_id"], again["redirect_uri"]) == (query["client_id"], "https://app.example/cb")
    assert again["state"] == "sfdc"
    api.refused(api("GET", "/elements/closeio/oauth/url/default"), 400)
    api.refused(api("GET", "/elements/nothing/oauth/url/default"), 404)
    headers = {"Authorization": None}
    assert api("GET", "/elements/sfdc/oauth/url/default", headers=headers).status_code == 200


@pytest.mark.parametrize("name", ["apiKey", "apiSecret", "callbackUrl"])
def test_a_missing_parameter_is_400_and_named(api, name):
    rest = {key: value for key, value in LINK.items() if key != name}
    assert name in api.refused(api("GET", "/elements/sfdc/oauth/url", params=rest), 400)["message"]
    assert name in api.refused(api("POST", "/elements/sfdc/oauth/url", json=rest), 400)["message"]


def test_no_link_for_other_elements(api):
    api.refused(api("GET", "/elements/closeio/oauth/url", params=LINK), 400)
    api.refused(api("GET", "/elements/nothing/oauth/url", params=LINK), 404)
    api.refused(api("POST", "/elements/sfdc/oauth/url", json={**LINK, "apiKey": 5}), 400)
    api.refused(api("GET", "/elements/sfdc/oauth/url", params={**LINK, "isOauthProxy": "true"}), 400)


def test_the_redirect_brings_a_code_or_an_error(api, sandbox):
    url = link(api, state="own-state")
    allowed = sandbox.approve(url)
    assert set(allowed) == {"code", "state"}
    assert allowed["state"] == "own-state"
    denied = sandbox.approve(url, "deny")
    assert denied["error"] == "access_denied"
    assert denied["state"] == "own-state"
    assert "code" not in denied


def test_the_login_page_is_a_form_with_two_buttons(api):
    url = link(api, state='"><script>alert(1)</script>', callbackUrl="https://app.example/cb?a=1")
    page = api.session.get(url, timeout=20)
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Allow</button>" in page.text
    assert "Deny</button>" in page.text
    assert "Calendars.Read" in page.text
    assert "<script>" not in page.text
    answer = api.session.get(url + "&decision=allow", timeout=20, allow_redirects=False)
    assert answer.status_code == 303
    target = urlsplit(answer.headers["Location"])
    assert target.netloc == "app.example"
    assert parse_qs(target.query)["a"] == ["1"]
    assert parse_qs(target.query)["code"]


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": ""},
        {"redirect_uri": ""},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://[x"},
        {"response_type": "token"},
        {"decision": "perhaps"},
    ],
)
def test_a_link_that_does_not_fit_gets_no_code(sandbox, api, change):
    fields = {"client_id": "c", "redirect_uri": "https://app.example/cb", "response_type": "code", **change}
    fields.setdefault("decision", "allow")
    page = f"{sandbox.url}/sandbox/authorize/microsoftgraph"
    for answer in (
        api.session.get(page, params=fields, timeout=20, allow_redirects=False),
        api.session.post(page, data=fields, timeout=20, allow_redirects=False),
    ):
        assert answer.status_code == 400
        assert "Location" not in answer.headers
    assert sandbox.codes() == []
    unknown = api.session.get(f"{sandbox.url}/sandbox/authorize/closeio", params=fields, timeout=20)
    assert unknown.status_code == 404


def test_approve_takes_only_links_of_this_sandbox(sandbox):
    with pytest.raises(SandboxError):
        sandbox.approve("https://login.example/authorize?client_id=x")
    with pytest.raises(SandboxError):
        sandbox.approve(f"{sandbox.url}/sandbox/authorize/microsoftgraph?client_id=x")


def test_consent_to_instance(api, sandbox):
    code = sandbox.approve(link(api))["code"]
    instance = api.create("microsoftgraph", providerData={"code": code})
    assert instance["valid"] is True
    assert "providerData" not in instance
    assert api("GET", "/calendars", token=instance["token"]).status_code == 200


def test_no_code_and_no_external_authentication_is_400(api):
    body = api.body("microsoftgraph")
    for provider_data in (None, {}, {"code": ""}, {"code": None}):
        api.refused(api("POST", "/instances", json={**body, "providerData": provider_data}), 400)
    api.refused(api("POST", "/instances", json={**body, "providerData": {"code": 5}}), 400)
    api.refused(api("POST", "/instances", json={**body, "providerData": "code"}), 400)


@pytest.mark.parametrize(("element", "text"), [("microsoftgraph", "AADSTS54005"), ("sfdc", "invalid_grant")])
def test_a_reused_code_is_refused_by_the_vendor(api, sandbox, element, text):
    body = api.body(element)
    assert api("POST", "/instances", json=body).status_code == 200
    assert text in api.refused(api("POST", "/instances", json=body), 400)["providerMessage"]
    assert len(sandbox.instances()) == 1


def test_an_expired_code_is_refused_by_the_vendor(api, sandbox):
    code = sandbox.code(lifetime=0.05)
    time.sleep(0.06)
    refused = api("POST", "/instances", json=api.body("microsoftgraph", providerData={"code": code}))
    assert "AADSTS70008" in api.refused(refused, 400)["providerMessage"]
    assert sandbox.codes()[-2]["expired"] is True

    old = sandbox.code()
    sandbox.configure(code_lifetime=0)
    refused = api("POST", "/instances", json=api.body("microsoftgraph", providerData={"code": old}))
    assert "AADSTS70008" in api.refused(refused, 400)["providerMessage"]


def test_a_code_is_bound_to_client_callback_and_element(api, sandbox):
    for code in (
        sandbox.code(client_id="another"),
        sandbox.code(oauth_callback_url="https://another.example/"),
        sandbox.code("sfdc"),
        "never-given-out",
        "rejected-code",
    ):
        answer = api("POST", "/instances", json=api.body("microsoftgraph", providerData={"code": code}))
        assert "AADSTS" in api.refused(answer, 400)["providerMessage"]
    right = sandbox.code(client_id="client-1", oauth_callback_url="https://app.example/cb")
    assert api.create("microsoftgraph", providerData={"code": right})["valid"] is True


def test_a_refused_code_is_not_spent(api, sandbox):
    code = sandbox.code()
    bad = api.body("microsoftgraph", providerData={"code": code})
    bad["configuration"]["oauth.api.secret"] = "rejected-secret"
    assert "AADSTS7000215" in api.refused(api("POST", "/instances", json=bad), 400)["providerMessage"]
    assert api.create("microsoftgraph", providerData={"code": code})["valid"] is True


def test_external_authentication(api):
    configuration = {
        "oauth.user.refresh_token": "a-refresh-token",
        "oauth.api.key": "client-1",
        "oauth.api.secret": "client-secret",
    }
    body = {
        "element": {"key": "microsoftgraph"},
        "name": "headless",
        "configuration": configuration,
        "externalAuthentication": "initial",
    }
    answer = api("POST", "/instances", json=body)
    assert answer.status_code == 200
    assert answer.json()["externalAuthentication"] == "initial"
    assert answer.json()["configuration"]["oauth.user.refresh_token"] == "********"
    assert api("GET", "/ping", token=answer.json()["token"]).status_code == 200

    lacking = {**body, "configuration": {"oauth.api.key": "k", "oauth.api.secret": "s"}}
    message = api.refused(api("POST", "/instances", json=lacking), 400)["message"]
    assert "oauth.user.refresh_token" in message
    assert "oauth.callback.url" not in message

    rejected = {**body, "configuration": {**configuration, "oauth.user.refresh_token": "rejected-token"}}
    assert "AADSTS" in api.refused(api("POST", "/instances", json=rejected), 400)["providerMessage"]
    api.refused(api("POST", "/instances", json={**body, "externalAuthentication": "sometimes"}), 400)
    basic = api.body("closeio", externalAuthentication="initial")
    api.refused(api("POST", "/instances", json=basic), 400)


def test_external_authentication_reads_back_none_otherwise(api):
    assert api.create("microsoftgraph")["externalAuthentication"] == "none"
    assert api.create("closeio", externalAuthentication="none")["externalAuthentication"] == "none"


def test_without_offline_access_microsoft_gives_no_refresh_token(api):
    body = api.body("microsoftgraph")
    body["configuration"]["oauth.scope"] = "Calendars.Read"
    assert api("POST", "/instances", json=body).json()["configuration"]["oauth.user.refresh_token"] is None
    assert api.create("sfdc")["configuration"]["oauth.user.refresh_token"] == "********"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_reauthentication_by_code(api, sandbox, method):
    instance = api.create("microsoftgraph")
    path = f"/instances/{instance['id']}"
    sandbox.set_instance(instance["id"], valid=False)
    api.refused(api("GET", "/ping", token=instance["token"]), 401)

    bad = api.refused(api(method, path, json={"name": "other", "providerData": {"code": "no"}}), 400)
    assert bad["providerMessage"]
    assert api.show(instance["id"])["name"] == "An instance"
    assert api.show(instance["id"])["valid"] is False

    answer = api(method, path, json={"name": "again", "providerData": {"code": sandbox.code()}})
    assert answer.status_code == 200
    after = answer.json()
    assert "providerData" not in after
    assert (after["id"], after["token"], after["name"]) == (instance["id"], instance["token"], "again")
    assert after["valid"] is True
    assert after["configuration"]["oauth.user.token"] != instance["configuration"]["oauth.user.token"]
    assert api("GET", "/ping", token=instance["token"]).status_code == 200


def test_put_without_reauthentication_leaves_the_code_alone(api, sandbox):
    instance = api.create("microsoftgraph")
    code = sandbox.code()
    path = f"/elements/{instance['elementId']}/instances/{instance['id']}?reAuthenticate=false"
    body = {**instance, "providerData": {"code": code}}
    body["configuration"]["event.notification.enabled"] = True
    answer = api("PUT", path, json=body)
    assert answer.status_code == 200
    assert answer.json()["eventsEnabled"] is True
    assert api("GET", "/ping", token=instance["token"]).status_code == 200
    assert sandbox.codes()[-1]["exchanged"] == 0


def test_provider_data_on_a_basic_element_is_accepted(api):
    instance = api.create()
    answer = api("PATCH", f"/instances/{instance['id']}", json={"providerData": {"code": "any"}})
    assert answer.status_code == 200
    assert "providerData" not in answer.json()


def test_rejected_credentials_of_basic_and_custom_elements(api, sandbox):
    for element, key in (("closeio", "username"), ("closeio", "password"), ("pipedrive", "api.token")):
        body = api.body(element)
        body["configuration"][key] = "rejected-value"
        assert api.refused(api("POST", "/instances", json=body), 400)["providerMessage"]
    sandbox.configure(vendor_refusal_status=401)
    assert api.refused(api("POST", "/instances", json=body), 401)["providerMessage"]
    assert sandbox.instances() == []


def test_a_changed_credential_decides_whether_the_instance_is_valid(api):
    instance = api.create()
    path = f"/instances/{instance['id']}"
    bad = api("PATCH", path, json={"configuration": {"password": "rejected-new"}}).json()
    assert bad["valid"] is False
    assert api.refused(api("GET", "/ping", token=instance["token"]), 401)["providerMessage"]
    good = api("PATCH", path, json={"configuration": {"password": "better"}}).json()
    assert good["valid"] is True
    assert api("GET", "/ping", token=instance["token"]).status_code == 200


def test_how_often_a_code_was_presented_is_known_without_its_value(api, sandbox):
    body = api.body("microsoftgraph")
    code = body["providerData"]["code"]
    api("POST", "/instances", json={**body, "configuration": {}})  # 400 before the vendor is asked
    api("POST", "/instances", json=body)
    api("POST", "/elements/microsoftgraph/instances", json=body)  # used by now
    api("POST", "/instances", json={**body, "providerData": {"code": "foreign-code"}})
    minted, foreign = sandbox.codes()
    assert (minted["presented"], minted["exchanged"], minted["redeemed"]) == (3, 2, True)
    assert (foreign["presented"], foreign["exchanged"], foreign["minted"]) == (1, 1, False)
    assert code not in str(sandbox.codes())
    assert "foreign-code" not in str(sandbox.codes())


def test_a_code_counts_as_presented_even_when_a_fault_eats_the_call(api, sandbox):
    sandbox.add_fault("status", method="POST", status=502)
    assert api("POST", "/instances", json=api.body("microsoftgraph")).status_code == 502
    (code,) = sandbox.codes()
    assert (code["presented"], code["exchanged"], code["redeemed"]) == (1, 0, False)


def test_provider_data_is_echoed_on_request(api, sandbox):
    sandbox.configure(echo_provider_data=True)
    instance = api.create("microsoftgraph")
    assert instance["providerData"]["code"]
    answer = api("PATCH", f"/instances/{instance['id']}", json={"providerData": {"code": sandbox.code()}})
    assert "providerData" not in answer.json()
