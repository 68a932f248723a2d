"""The names of mapped copies, by dag.test()."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.runs import Run

pytestmark = pytest.mark.airflow

FOLDER = Path(__file__).parent / "dags"
PASSWORD = "the-password-of/the+vendor="


@pytest.fixture
def names(load_dags, sandbox, element_connection, monkeypatch):
    from airflow import settings

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))
    element_connection(login="ada", password=PASSWORD, extra={"authentication": "basic"})
    dags = load_dags(FOLDER / "named_dags.py")

    def names_of(dag):
        """Return the names of a task's copies, in the order of their indexes."""
        done = Run(getattr(dags, dag).test())
        found = {}
        for (task_id, _), name in sorted(done.names.items()):
            found.setdefault(task_id, []).append(name)
        return found, done.states()

    return names_of


def test_copies_have_the_names_of_their_instances(names):
    found, states = names("named")
    written = ["Acme", "12", "two lines", "n" * 250]
    assert found["create"] == found["ready"] == found["update"] == found["delete"] == written
    assert found["for_each.create"] == ["In a group"]
    # What fails has a name, too: what it was given, or else its index as without a name.
    assert (states["missing", 0], states["nameless", 0]) == ("failed", "failed")
    assert (found["missing"], found["nameless"]) == (["987654"], ["0"])


def test_a_template_of_the_authors_own_wins(names):
    assert names("named")[0]["own"] == ["mine: Own"]


def test_a_name_shows_no_secret(names):
    found, states = names("named")
    assert states["secret", 0] == "success"
    assert found["secret"] == ["named ***"]


def test_native_rendering_fails_no_task_for_the_name_of_its_copy(names):
    found, states = names("native")
    assert set(states.values()) == {"success"}
    assert found["create"] == ["12", 'it\'s \\ "two"', "{}", "Acme"]
