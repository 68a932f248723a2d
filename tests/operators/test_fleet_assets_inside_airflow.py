"""Asset events of the check, plan and apply operators: when they come, what they hold, what Airflow drops.

By dag.test(), which stores asset events as the API server does.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_cloudelements.provisioning.health import InstanceState
from tests.support.runs import Run

pytestmark = pytest.mark.airflow

FOLDER = Path(__file__).parent / "dags"


@pytest.fixture(scope="module")
def dags(load_dags):
    return load_dags(FOLDER / "asset_dags.py")


@pytest.fixture(autouse=True)
def folder(monkeypatch):
    from airflow import settings

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))


@pytest.fixture
def events(airflow_database):
    """Give a function that returns the asset events since its last call, by asset."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    seen = set()

    def news():
        found = []
        with create_session() as session:
            for event in session.scalars(select(AssetEvent).order_by(AssetEvent.id)):
                if event.id not in seen:
                    seen.add(event.id)
                    found.append((event.asset.name.rpartition("/")[2], event.source_task_id, event.extra))
        return found

    news()
    return news


@pytest.fixture
def login(element_connection):
    return element_connection(
        "asset_login",
        login="sales@example.com",
        password="a-pass/w+rd=",
        extra={
            "element": "closeio",
            "authentication": "basic",
            "event_callback_url": "http://127.0.0.1:9/hook",
        },
    )


def test_an_event_comes_if_something_was_found(dags, sandbox, person, login, events):
    def run():
        done = Run(dags.watched.test())
        assert done.state == "success", done.tasks
        return events()

    scope = {"connection": "cloudelements_default"}
    first = run()
    assert [event[:2] for event in first] == [("drift", "plan"), ("changed", "apply")]
    assert first[0][2] == {**scope, "counts": {"create": 2, "unchanged": 0}, "deletes": 0}
    done = {"done": 2, "already": 0, "total": 2}
    assert done.items() <= first[1][2].pop("counts").items()
    assert first[1][2] == scope
    assert run() == [], "all is well"

    for ill in (False, True):
        number = person.make("basic", tags=["watched"])
        if ill:
            sandbox.set_instance(number, disabled=True)
    (unhealthy,) = run()
    counts = {**dict.fromkeys(map(str, InstanceState), 0), "healthy": 1, "disabled": 1}
    assert unhealthy == (
        "unhealthy",
        "check",
        {**scope, "checked": 2, "counts": counts, "missing": 0},
    )


def test_airflow_keeps_no_event_of_a_task_that_fails(dags, sandbox, person, events):
    sandbox.set_instance(person.make("basic"), disabled=True)
    done = Run(dags.failing.test())
    assert done.state == "failed"
    assert done.xcoms["check", -1, "summary"]["counts"]["disabled"] == 1
    assert events() == []
