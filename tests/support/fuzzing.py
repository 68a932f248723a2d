"""What may be sent to the sandbox by chance, and what may come back."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

RELAXED = settings(
    max_examples=60,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def check(api, answer):
    """Check that an answer is one of the platform's: never a 500, always the error body."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        api.refused(answer, answer.status_code)
