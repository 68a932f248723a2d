"""Contract tests run against the sandbox, and against the account that CE_LIVE_URL names, if it is set."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support import contract


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "platform" in metafunc.fixturenames:
        names = ["sandbox", *(["live"] if os.environ.get(contract.LIVE_URL) else [])]
        metafunc.parametrize("platform", names, indirect=True)


@pytest.fixture
def platform(request: pytest.FixtureRequest) -> contract.Platform:
    if request.param == "live":
        return contract.Platform.of_environment()
    number = contract.fact_of(request.function.__name__)
    if number in contract.gaps():
        # Strict: as soon as the sandbox answers right, its row on the page has to go.
        gap = pytest.mark.xfail(raises=AssertionError, strict=True, reason=f"known fault: {number}")
        request.applymarker(gap)
    return contract.Platform.of_sandbox(request.getfixturevalue("cloudelements_sandbox"))


@pytest.fixture
def made(platform: contract.Platform) -> Iterator[contract.Made]:
    """Return what makes instances for a test that writes, and removes them at its end."""
    if not platform.may_write:
        pytest.skip(f"writes only with {contract.LIVE_WRITE}=1 and {contract.LIVE_INSTANCE}")
    made = contract.Made(platform)
    yield made
    made.remove()
