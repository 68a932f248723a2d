"""Mistakes on the way to the platform: hosts, ports, proxies, certificates, secrets."""

from __future__ import annotations

import socket
from urllib.parse import quote

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators.instances import CloudElementsDeleteInstanceOperator
from tests.support.mistakes import PASSWORD
from tests.support.wire import Wire, answer


def delete(newcomer):
    newcomer.run(CloudElementsDeleteInstanceOperator, instance_key="x")


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_wrong_user_secret(newcomer):
    newcomer.account(password=PASSWORD)
    with newcomer.mistake("a wrong secret"):
        delete(newcomer)


def test_a_wrong_authorization_header(newcomer):
    newcomer.account({"authorization": f"Bearer {PASSWORD}", "organization_secret": None}, password=None)
    with newcomer.mistake("a wrong Authorization header"):
        delete(newcomer)


def test_the_wrong_port_of_the_sandbox(newcomer):
    newcomer.account(host=f"http://127.0.0.1:{closed_port()}")
    with newcomer.mistake("the wrong port of the sandbox"):
        delete(newcomer)


def test_a_mistyped_host(newcomer, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    newcomer.account(host="api.cloud-element.com")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with newcomer.mistake("a mistyped host"):
        delete(newcomer)


def test_the_console_as_host(newcomer):
    with Wire(answer(b"<html>Sign in</html>", headers={"Content-Type": "text/html"})) as console:
        newcomer.account(host=console.url)
        with newcomer.mistake("the console's host"):
            delete(newcomer)


def test_the_consoles_login_page_as_host(newcomer):
    with Wire(answer(b"", status=302, headers={"Location": "/login"})) as console:
        newcomer.account(host=console.url)
        with newcomer.mistake("a host that redirects"):
            delete(newcomer)


def test_a_gateway_without_its_prefix(newcomer):
    with Wire(answer(b"<h1>Not here</h1>", status=404)) as gateway:
        newcomer.account(host=gateway.url)
        with newcomer.mistake("a gateway's path left out"):
            delete(newcomer)


def test_https_to_a_port_that_speaks_http(newcomer):
    newcomer.account(host=newcomer.sandbox.url.replace("http://", "https://"))
    with newcomer.mistake("https to the sandbox"):
        delete(newcomer)


def test_a_private_authority(newcomer, tls_server):
    with Wire(answer([]), tls=tls_server) as platform:
        newcomer.account(host=platform.url)
        with newcomer.mistake("a certificate of a private authority"):
            delete(newcomer)


def test_a_bundle_that_is_no_pem(newcomer, tls_server, tmp_path):
    file = tmp_path / "authority.der"
    file.write_bytes(b"0\x82\x01\x0a\x02\x82")
    with Wire(answer([]), tls=tls_server) as platform:
        newcomer.account({"ca_bundle": str(file)}, host=platform.url)
        with newcomer.mistake("a CA bundle that is no PEM"):
            delete(newcomer)


def test_a_bundle_that_is_not_there(newcomer, tls_server):
    with Wire(answer([]), tls=tls_server) as platform:
        newcomer.account({"ca_bundle": "/nowhere/authority.pem"}, host=platform.url)
        with newcomer.mistake("a CA bundle that is not there"):
            delete(newcomer)


def test_the_environments_bundle_that_is_not_there(newcomer, tls_server, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/authority.pem")
    with Wire(answer([]), tls=tls_server) as platform:
        newcomer.account(host=platform.url)
        with newcomer.mistake("REQUESTS_CA_BUNDLE that is not there"):
            delete(newcomer)


def test_a_proxy_that_is_down(newcomer):
    newcomer.account(
        {"proxy": f"http://ada:{quote(PASSWORD, safe='')}@127.0.0.1:{closed_port()}"},
        host="platform.invalid",
    )
    with newcomer.mistake("a proxy that is down"):
        delete(newcomer)


def test_a_proxy_that_wants_a_password(newcomer):
    with Wire(answer(b"", status=407)) as proxy:
        newcomer.account({"proxy": proxy.url}, host="platform.invalid")
        with newcomer.mistake("a proxy that wants a password"):
            delete(newcomer)


def test_the_environments_proxy_that_wants_a_password(newcomer, monkeypatch):
    with Wire(answer(b"", status=407)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        newcomer.account(host="platform.invalid")
        with newcomer.mistake("HTTPS_PROXY without its password"):
            delete(newcomer)


def test_a_proxy_that_forbids_the_host(newcomer):
    with Wire(answer(b"", status=403)) as proxy:
        newcomer.account({"proxy": proxy.url}, host="platform.invalid")
        with newcomer.mistake("a proxy that forbids the host"):
            delete(newcomer)


def test_an_answer_that_takes_too_long(newcomer):
    newcomer.account({"request_timeout": 1})
    newcomer.sandbox.add_fault("delay", seconds=3)
    with newcomer.mistake("a time-out that is too short"):
        delete(newcomer)


def test_a_bearer_and_a_call_through_an_instance(newcomer):
    newcomer.account({"authorization": f"Bearer {PASSWORD}", "organization_secret": None}, password=None)
    with newcomer.mistake("a bearer token, and a call through an instance"):
        CloudElementsHook().instance(7, token=PASSWORD).get("/contacts")


def test_a_token_that_airflow_masked(newcomer):
    with newcomer.mistake("a token that Airflow masked"):
        CloudElementsHook().instance(7, token="***")
