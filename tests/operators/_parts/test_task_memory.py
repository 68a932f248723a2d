"""What a task remembers over its tries: with Airflow 3.3's store, and without one."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.task_memory import StoredMemory, TryMemory, memory_of
from airflow_provider_cloudelements.operators.instances import pull_token
from tests.support.context import FakeStore, FakeTi, context_of


def test_with_a_store_it_is_used_and_without_one_the_number_of_the_try():
    assert isinstance(memory_of(context_of(store=FakeStore())), StoredMemory)
    assert isinstance(memory_of(context_of()), TryMemory)
    assert isinstance(memory_of({}), TryMemory)
    assert isinstance(memory_of(None), TryMemory)


def test_what_is_stored_is_there_for_the_next_try():
    store = FakeStore()
    first = StoredMemory(store)
    assert first.instance_id("airflow:1") is None
    assert not first.code_sent("a")
    first.remember("airflow:1", 7)
    first.sending_code("a")
    first.sending_code("b")
    second = StoredMemory(store)
    assert second.instance_id("airflow:1") == 7
    assert (second.code_sent("a"), second.code_sent("b"), second.code_sent("c")) == (True, True, False)
    second.code_kept("a")
    assert (StoredMemory(store).code_sent("a"), StoredMemory(store).code_sent("b")) == (False, True)


def test_an_id_kept_for_another_key_does_not_count():
    store = FakeStore()
    StoredMemory(store).remember("airflow:1", 7)
    assert StoredMemory(store).instance_id("airflow:2") is None


def test_the_same_id_is_written_once():
    class Counting(FakeStore):
        writes = 0

        def set(self, key, value, **options):
            self.writes += 1
            super().set(key, value, **options)

    store = Counting()
    for _ in range(3):
        StoredMemory(store).remember("airflow:1", 7)
    assert store.writes == 1
    StoredMemory(store).remember("airflow:1", 8)
    assert store.writes == 2


@pytest.mark.parametrize(
    "rubbish", ["text", 5, [], {}, {"marker": "airflow:1"}, {"marker": "airflow:1", "id": "7"}, [1, {"a": 2}]]
)
def test_rubbish_in_the_store_is_nothing_remembered(rubbish):
    store = FakeStore()
    store.set(StoredMemory.ID, rubbish)
    store.set(StoredMemory.CODES, rubbish)
    store.set(StoredMemory.ENABLED, rubbish)
    memory = StoredMemory(store)
    assert memory.instance_id("airflow:1") is None
    assert not memory.code_sent("a")
    assert not memory.enabled(7)
    memory.sending_code("a")
    memory.remember("airflow:1", 9)
    assert (memory.instance_id("airflow:1"), memory.code_sent("a")) == (9, True)


def test_an_instance_that_a_try_enabled_is_known_to_the_next_until_it_has_ended():
    store = FakeStore()
    assert not StoredMemory(store).enabled(7)
    StoredMemory(store).enabling(7)
    assert (StoredMemory(store).enabled(7), StoredMemory(store).enabled(8)) == (True, False)
    StoredMemory(store).enabling_ended(8)
    assert StoredMemory(store).enabled(7)
    StoredMemory(store).enabling_ended(7)
    assert not StoredMemory(store).enabled(7)
    # Without a store what is found enabled is taken to have been so.
    assert not TryMemory(2).enabled(7)


def test_without_a_store_only_the_first_try_sends_a_code():
    first = TryMemory(1)
    assert not first.code_sent("a")
    first.sending_code("a")
    assert first.code_sent("a")
    assert TryMemory(2).code_sent("a")
    assert TryMemory(2).instance_id("airflow:1") is None


class Xcoms:
    def __init__(self, value):
        self.value, self.asked = value, None

    def xcom_pull(self, **asked):
        self.asked = asked
        return self.value


def test_pull_token_masks_what_it_pulls(monkeypatch):
    from airflow_provider_cloudelements.operators import instances as module

    masked = []
    monkeypatch.setattr(module, "mask_token", masked.append)
    ti = Xcoms("the-token")
    assert pull_token(ti, "create") == "the-token"
    assert ti.asked == {"task_ids": "create", "key": "token"}
    assert masked == ["the-token"]
    pull_token(ti, "create", map_index=0)
    assert ti.asked == {"task_ids": "create", "key": "token", "map_indexes": 0}


@pytest.mark.parametrize(("value", "message"), [(None, "pushed no token"), (["a", "b"], "map_index")])
def test_pull_token_says_when_there_is_none_or_several(value, message):
    with pytest.raises(CloudElementsValidationError, match=message):
        pull_token(Xcoms(value), "create")


def test_a_fake_task_instance_is_like_a_real_one():
    # The memories ask a task instance for its try number by this name.
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    for name in ("try_number", "dag_id", "task_id", "run_id", "map_index"):
        assert name in RuntimeTaskInstance.model_fields
        assert hasattr(FakeTi(), name)
