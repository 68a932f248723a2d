"""The run on Celery: what it calls wrong, what it starts, and that Redis is gone afterwards."""

from __future__ import annotations

import shutil
import socket
from urllib.parse import urlsplit

import pytest

from airflow_provider_cloudelements.fleet import apply, plan, read_manifest
from airflow_provider_cloudelements.sandbox import Sandbox
from scripts import celery_run
from scripts.local_airflow import LocalAirflow
from scripts.redis_server import redis


@pytest.fixture
def sandbox():
    with Sandbox() as running:
        yield running


def make(sandbox, count: int) -> None:
    with celery_run.client_of(sandbox) as client:
        made = plan(client, read_manifest(celery_run.manifest_of(count)), celery_run.login)
        assert apply(client, made, made.checksum, celery_run.login).ok


def test_nothing_is_wrong_with_an_account_as_the_manifest_says(sandbox):
    make(sandbox, 3)
    assert celery_run.wrong_with(sandbox, 3) == []


def test_it_finds_what_is_missing(sandbox):
    make(sandbox, 2)
    assert celery_run.wrong_with(sandbox, 3) == [
        "1 instances are missing",
        "a plan afterwards finds {'create': 1}, and 2 unchanged",
    ]


def test_it_finds_what_is_there_twice(sandbox):
    make(sandbox, 2)
    with celery_run.client_of(sandbox) as client:
        client.instances.create(element="closeio", name="Tenant 1", configuration=celery_run.LOGIN)
    assert celery_run.wrong_with(sandbox, 2) == ["1 instances are there twice, such as 'Tenant 1'"]


def test_it_finds_what_has_changed(sandbox):
    make(sandbox, 2)
    with celery_run.client_of(sandbox) as client:
        (first, _) = client.instances.list()
        client.instances.disable(first.id)
    assert celery_run.wrong_with(sandbox, 2) == ["a plan afterwards finds {'enable': 1}, and 1 unchanged"]


def test_its_dag_is_python():
    text = celery_run.dag_text("/a folder/manifest.json")
    compile(text, "fleet.py", "exec")
    assert "manifest='/a folder/manifest.json'" in text
    assert "{{ ti.xcom_pull('plan', key='checksum') }}" in text


def test_each_worker_has_a_name_and_a_file_of_its_own(tmp_path):
    airflow = LocalAirflow(tmp_path, home=tmp_path / "home", workers=2)
    assert airflow.environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    commands = [airflow._parts[f"worker-{number}"].command for number in (1, 2)]
    assert [command[3:6] for command in commands] == [("celery", "worker", "--celery-hostname")] * 2
    assert len({command[6:] for command in commands}) == 2


@pytest.mark.skipif(not shutil.which("redis-server"), reason="needs Debian's redis-server")
def test_redis_answers_and_is_gone_afterwards():
    with redis() as address:
        where = urlsplit(address)
        with socket.create_connection((where.hostname, where.port), timeout=5) as caller:
            caller.sendall(b"SET a 1\r\n")
            assert caller.recv(64) == b"+OK\r\n"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((where.hostname, where.port), timeout=5)


def test_a_missing_redis_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(RuntimeError, match="apt-get install redis-server"), redis():
        pass
