"""Mistakes in a connection's fields."""

from __future__ import annotations

import airflow
import pytest

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsElementHook, CloudElementsHook
from airflow_provider_cloudelements.operators.instances import (
    CloudElementsCreateInstanceOperator,
    CloudElementsDeleteInstanceOperator,
)
from tests.support.mistakes import PASSWORD, REFRESH_TOKEN

#: What is wrong, by the mistake: standard fields and those of ``extra``.
ACCOUNT = {
    "no host": ({"host": ""}, {}),
    "a scheme without its colon": ({"host": "https//api.cloud-elements.com"}, {}),
    "a scheme of something else": ({"host": "ftp://api.cloud-elements.com"}, {}),
    "an IPv6 address without brackets": ({"host": "2001:db8::1"}, {}),
    "the address of a call as the host": (
        {"host": "https://api.cloud-elements.com/elements/api-v2/instances"},
        {},
    ),
    "user and password in the host": ({"host": f"https://ada:{PASSWORD}@api.cloud-elements.com"}, {}),
    "two hosts": ({"host": "api.cloud-elements.com, api.openconnectors.us2.ext.hana.ondemand.com"}, {}),
    "http to another machine": ({"host": "http://api.cloud-elements.com"}, {}),
    "a port that is none": ({"port": 99999}, {}),
    "no User secret": ({"password": None}, {}),
    "no Organization secret": ({}, {"organization_secret": None}),
    "the whole header as User secret": ({"password": f"User {PASSWORD}, Organization {REFRESH_TOKEN}"}, {}),
    "asterisks as User secret": ({"password": "***"}, {}),
    "a mistyped field": ({}, {"organisation_secret": PASSWORD}),
    "a word for a time-out": ({}, {"request_timeout": "ten"}),
    "a time-out of zero": ({}, {"request_timeout": 0}),
    "a word for a switch": ({}, {"verify_tls": "off"}),
    "a namespace that a template left empty": ({}, {"namespace": "None"}),
    "a console page without {id}": ({}, {"console_url": "https://my.example.com/instances"}),
    "a proxy without a scheme": ({}, {"proxy": f"ada:{PASSWORD}@proxy.example.com:3128"}),
}
ELEMENT = {
    "an unknown kind of authentication": ({}, {"authentication": "oauth"}),
    "a refresh token beside a password": (
        {},
        {"authentication": "basic", "oauth_user_refresh_token": REFRESH_TOKEN},
    ),
    "a password with custom authentication": (
        {},
        {"authentication": "custom", "oauth_scope": None, "oauth_callback_url": None},
    ),
    "a configuration that is a text": ({}, {"configuration": "filter.response.nulls=true"}),
    "one key in two fields": ({}, {"configuration": {"oauth.scope": "Mail.Read"}}),
    "a callback URL without a scheme": ({}, {"oauth_callback_url": "app.example.com/callback"}),
    "an element's secret of asterisks": ({"password": "***"}, {}),
}


@pytest.mark.parametrize("name", ACCOUNT)
def test_a_field_of_the_account(newcomer, name):
    fields, extra = ACCOUNT[name]
    newcomer.account(extra, **fields)
    with newcomer.mistake(name):
        newcomer.run(CloudElementsDeleteInstanceOperator, instance_id=7)
    assert newcomer.sandbox.requests() == []


@pytest.mark.parametrize("name", ELEMENT)
def test_a_field_of_an_element(newcomer, name):
    fields, extra = ELEMENT[name]
    conn_id = newcomer.app(
        extra=extra
        | (
            {"oauth_scope": None, "oauth_callback_url": None}
            if extra.get("authentication") == "basic"
            else {}
        ),
        **fields,
    )
    with newcomer.mistake(name):
        CloudElementsElementHook(conn_id).get_conn()


def test_an_extra_that_is_not_json(newcomer):
    newcomer.store(
        "cloudelements_default",
        {
            "conn_type": "cloudelements",
            "host": newcomer.sandbox.url,
            "extra": f"organization_secret={PASSWORD}",
        },
    )
    if airflow.__version__.startswith("3.1."):
        # It does not find a connection that it cannot read.
        with newcomer.mistake("a variable that is no connection"):
            CloudElementsHook().get_conn()
    else:
        with newcomer.mistake("an extra that is not JSON"):
            CloudElementsHook().get_conn()


def test_a_variable_that_is_no_connection(newcomer):
    broken = f'{{"conn_type": "cloudelements", "password": "{PASSWORD}",}}'
    newcomer.monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", broken)
    with newcomer.mistake("a variable that is no connection"):
        newcomer.run(CloudElementsDeleteInstanceOperator, instance_id=7)


def test_no_connection(newcomer):
    with newcomer.mistake("no connection of this name"):
        newcomer.run(
            CloudElementsDeleteInstanceOperator, instance_id=7, cloudelements_conn_id="cloud_elements"
        )


def test_no_element_connection(newcomer):
    with newcomer.mistake("no element connection of this name"):
        newcomer.run(CloudElementsCreateInstanceOperator, instance_name="x", element_conn_id="msgraph")


def test_a_connection_of_another_type(newcomer):
    newcomer.account(conn_type="http")
    with newcomer.mistake("a connection of another type"):
        newcomer.run(CloudElementsDeleteInstanceOperator, instance_id=7)


def test_the_account_as_element_connection(newcomer):
    with newcomer.mistake("the account's connection as element_conn_id"):
        newcomer.run(
            CloudElementsCreateInstanceOperator, instance_name="x", element_conn_id="cloudelements_default"
        )


def test_a_blank_connection_id(newcomer):
    with newcomer.mistake("a connection id that a template left empty"):
        newcomer.run(CloudElementsDeleteInstanceOperator, instance_id=7, cloudelements_conn_id="None")
