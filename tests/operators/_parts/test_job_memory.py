"""What a bulk operator remembers of a job in the task state store."""

from __future__ import annotations

from airflow_provider_cloudelements.operators._parts.job_memory import job_memory_of, upload_memory_of
from tests.support.context import FakeStore, context_of
from tests.support.wire import TOKEN, account


def test_half_a_surrogate_pair_in_an_argument_is_a_text_like_any_other() -> None:
    """Rendered text may hold one, as JSON does that was cut."""
    instance = account("http://127.0.0.1:9").client.instance(1, TOKEN)
    context = context_of(store=FakeStore())
    job_memory_of(context, instance, "contacts\ud800")
    upload_memory_of(context, instance, "contacts\ud800", 0)
