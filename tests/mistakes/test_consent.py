"""Mistakes between the link and the instance: codes, addresses, callbacks, elements."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.operators.changes import CloudElementsReauthenticateInstanceOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.operators.oauth import CloudElementsGetOAuthUrlOperator
from tests.support.mistakes import PASSWORD, REFRESH_TOKEN

STATE = "s" * 32


@pytest.fixture
def newcomer(newcomer):
    newcomer.app()
    return newcomer


def create(newcomer, code=None, name="My calendar", **arguments):
    arguments.setdefault("element_conn_id", "vendor_app")
    return newcomer.run(
        CloudElementsCreateInstanceOperator, instance_name=name, authorization_code=code, **arguments
    )


def pasted(newcomer, name, code, **arguments):
    with newcomer.mistake(name, *([code] if len(code) > 8 else [])):
        create(newcomer, code, **arguments)
    assert newcomer.sandbox.instances() == []


def test_no_code(newcomer):
    with newcomer.mistake("a create without a code"):
        create(newcomer)


def test_a_code_that_was_used(newcomer):
    code = newcomer.sandbox.code("microsoftgraph")
    create(newcomer, code)
    with newcomer.mistake("a code that was used", code):
        create(newcomer, code, name="My second calendar")


def test_a_code_that_has_expired(newcomer):
    newcomer.sandbox.configure(code_lifetime=0)
    pasted(newcomer, "a code that has expired", newcomer.sandbox.code("microsoftgraph"))


def test_half_a_code(newcomer):
    pasted(newcomer, "a code that was cut", newcomer.sandbox.code("microsoftgraph")[:-4])


def test_a_code_with_white_space(newcomer):
    pasted(newcomer, "a code with white space", "the code is 0.AbCdEf")


def test_a_code_of_another_callback(newcomer):
    code = newcomer.sandbox.code("microsoftgraph", oauth_callback_url="https://app.example.com/other")
    pasted(newcomer, "another callback URL than the link's", code)


def test_a_code_of_another_app(newcomer):
    code = newcomer.sandbox.code("microsoftgraph", client_id="client-2")
    pasted(newcomer, "another app than the link's", code)


def test_an_address_without_a_code(newcomer):
    address = "https://app.example.com/callback?state=" + STATE
    pasted(newcomer, "an address without a code", address, authorization_state=STATE)


def test_an_address_without_a_state_to_compare(newcomer):
    address = "https://app.example.com/callback?code=0.AbCdEfGh&state=" + STATE
    pasted(newcomer, "an address without authorization_state", address)


def test_an_address_of_another_consent(newcomer):
    address = "https://app.example.com/callback?code=0.AbCdEfGh&state=" + STATE[:-1] + "t"
    pasted(newcomer, "an address of another consent", address, authorization_state=STATE)


def test_a_refused_consent(newcomer):
    address = "https://app.example.com/callback?error=access_denied&state=" + STATE
    pasted(newcomer, "a consent that the person refused", address, authorization_state=STATE)


def test_a_code_and_a_refresh_token(newcomer):
    pasted(
        newcomer,
        "a code and a refresh token",
        "0.AbCdEfGhIjKl",
        configuration={"oauth.user.refresh_token": REFRESH_TOKEN},
    )


def test_a_refresh_token_that_is_refused(newcomer):
    newcomer.sandbox.vendor_secrets("hubspotcrm", ["another"])
    app = newcomer.app(
        extra={"element": "hubspotcrm", "oauth_scope": None, "oauth_user_refresh_token": REFRESH_TOKEN}
    )
    with newcomer.mistake("an app's secret or a refresh token that the vendor refuses"):
        create(newcomer, element_conn_id=app)


def test_a_password_that_is_refused(newcomer):
    login = newcomer.login(password="rejected-" + PASSWORD)
    with newcomer.mistake("a password that the vendor refuses"):
        create(newcomer, element_conn_id=login)


def test_no_callback_url(newcomer):
    code = newcomer.sandbox.code("microsoftgraph")
    app = newcomer.app(extra={"oauth_callback_url": None})
    pasted(newcomer, "no OAuth callback URL", code, element_conn_id=app)
    assert [each["presented"] for each in newcomer.sandbox.codes()] == [0]


def test_a_wrong_element_with_a_code(newcomer):
    code = newcomer.sandbox.code("microsoftgraph")
    app = newcomer.app(extra={"element": "microsoft_graph"})
    pasted(newcomer, "a wrong element key, with a code", code, element_conn_id=app)
    assert [each["presented"] for each in newcomer.sandbox.codes()] == [0]


def test_a_wrong_element_without_a_code(newcomer):
    login = newcomer.login(extra={"element": "closeIO"})
    with newcomer.mistake("a wrong element key"):
        create(newcomer, element_conn_id=login)


def test_a_wrong_element_for_a_link(newcomer):
    app = newcomer.app(extra={"element": "hubspot"})
    with newcomer.mistake("a wrong element key, for a consent link"):
        newcomer.run(CloudElementsGetOAuthUrlOperator, element_conn_id=app)


def test_an_element_that_the_connection_is_not_for(newcomer):
    with newcomer.mistake("an element that the connection is not for"):
        create(newcomer, element="closeio")


def test_a_link_without_the_apps_key(newcomer):
    app = newcomer.app(login=None)
    with newcomer.mistake("a consent link without the app's key"):
        newcomer.run(CloudElementsGetOAuthUrlOperator, element_conn_id=app)


def test_a_link_with_the_state_as_a_parameter(newcomer):
    with newcomer.mistake("the state as a parameter of the consent link"):
        newcomer.run(
            CloudElementsGetOAuthUrlOperator, element_conn_id="vendor_app", parameters={"state": "x"}
        )


def test_a_used_code_for_an_instance_that_exists(newcomer):
    code = newcomer.sandbox.code("microsoftgraph")
    made = create(newcomer, code)
    other = newcomer.sandbox.code("microsoftgraph")
    create(newcomer, other, name="My second calendar")
    with newcomer.mistake("a used code for an instance that exists", code, other):
        newcomer.run(
            CloudElementsReauthenticateInstanceOperator, instance_id=made["id"], authorization_code=other
        )
