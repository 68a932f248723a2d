"""A third reading of the API, by ``requests`` alone: no call goes through the client or code of the sandbox.

It reads docs/api-facts.md as well, whose facts the contract tests assert by number.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_cloudelements.sandbox import Sandbox

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api-facts.md"
#: Where the page tells what the sandbox gets wrong.
GAPS_HEADING = "## Where the sandbox answers otherwise"

LIVE_URL = "CE_LIVE_URL"
LIVE_USER = "CE_LIVE_USER_SECRET"
LIVE_ORGANIZATION = "CE_LIVE_ORGANIZATION_SECRET"
LIVE_WRITE = "CE_LIVE_WRITE"
LIVE_INSTANCE = "CE_LIVE_INSTANCE"

#: No test reads more pages than this.
MOST_PAGES = 50
#: Seconds for a call; a create logs in at the vendor.
TIMEOUT = 60
#: A name that never resolves, so that no event of a live instance reaches anybody.
NOWHERE = "https://receiver.invalid/contract"


def gaps() -> frozenset[str]:
    """Return the facts that the page says the sandbox gets wrong."""
    return frozenset(re.findall(r"^\| (F\d+) \|", PAGE.read_text().partition(GAPS_HEADING)[2], re.MULTILINE))


def fact_of(test_name: str) -> str:
    """Return the fact that a contract test asserts: ``test_f161_...`` asserts F161."""
    found = re.match(r"test_f(\d+)_", test_name)
    assert found, f"{test_name} must begin with the number of its fact"
    return f"F{found.group(1)}"


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # Without an ``auth``, requests would let a .netrc replace our Authorization.
    return request


@dataclass
class Platform:
    """What is asked: a sandbox, or a live account.

    :param url: Its origin.
    :param user: The User secret.
    :param organization: The Organization secret.
    :param create_body: What a POST /instances of a test sends, without a name.
    :param sandbox: The sandbox, when it is one.
    """

    url: str
    user: str = field(repr=False)
    organization: str = field(repr=False)
    create_body: dict[str, Any] = field(repr=False)
    sandbox: Sandbox | None = None

    @classmethod
    def of_sandbox(cls, sandbox: Sandbox) -> Platform:
        body = {"element": {"key": "closeio"}, "configuration": {"username": "ada", "password": "pass-word"}}
        return cls(sandbox.url, sandbox.user_secret, sandbox.organization_secret, body, sandbox)

    @classmethod
    def of_environment(cls) -> Platform:
        """Return the live account that the environment names; it must name all of it."""
        missing = [name for name in (LIVE_URL, LIVE_USER, LIVE_ORGANIZATION) if not os.environ.get(name)]
        if missing:
            pytest.fail(f"the environment lacks {', '.join(missing)}", pytrace=False)
        return cls(
            os.environ[LIVE_URL].rstrip("/"),
            os.environ[LIVE_USER],
            os.environ[LIVE_ORGANIZATION],
            json.loads(os.environ.get(LIVE_INSTANCE, "null")) or {},
        )

    @property
    def is_live(self) -> bool:
        return self.sandbox is None

    @property
    def may_write(self) -> bool:
        return not self.is_live or (os.environ.get(LIVE_WRITE) == "1" and bool(self.create_body))

    @property
    def words(self) -> str:
        return f"User {self.user}, Organization {self.organization}"

    def call(
        self, method: str, path: str, *, words: str | None = "", token: str | None = None, **options: Any
    ) -> requests.Response:
        """Send one call.

        :param method: HTTP verb.
        :param path: What follows /elements/api-v2.
        :param words: Value of Authorization in place of the two secrets; ``None`` sends none.
        :param token: Element token, added to the two secrets.
        :param options: Of ``requests.request``.
        """
        headers = dict(options.pop("headers", {}))
        if words is not None:
            headers["Authorization"] = words or self.words
        if token is not None:
            headers["Authorization"] += f", Element {token}"
        with requests.Session() as session:
            session.trust_env = self.is_live
            return session.request(
                method,
                f"{self.url}/elements/api-v2{path}",
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
                auth=_as_it_is,
                **options,
            )

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Send a call that must succeed; return its JSON, ``None`` without a body."""
        answer = self.call(method, path, **options)
        if answer.status_code != 200:
            _fail(answer)
        return answer.json() if answer.content else None

    def pages(self, path: str, **query: Any) -> Iterator[requests.Response]:
        """Yield the pages of a list, a bounded number of them."""
        for _ in range(MOST_PAGES):
            answer = self.call("GET", path, params=query)
            assert answer.status_code == 200, f"GET {path}: {answer.status_code}"
            yield answer
            token = answer.headers.get("Elements-Next-Page-Token")
            if token is None:
                return
            query["nextPage"] = token
        pytest.skip(f"{path} has more than {MOST_PAGES} pages of this size")

    def element(self, key: str) -> dict[str, Any]:
        """Return an element by its key; a live account may lack it."""
        answer = self.call("GET", f"/elements/{key}")
        if self.is_live and answer.status_code == 404:
            pytest.skip(f"this account has no element {key}")
        assert answer.status_code == 200, f"GET /elements/{key}: {answer.status_code}"
        found: dict[str, Any] = answer.json()
        return found


def _fail(answer: requests.Response) -> None:
    """Fail with what an answer says: its message, and nothing else of its body, which may hold a token."""
    try:
        said = answer.json().get("message")
    except (ValueError, AttributeError):
        said = "no JSON object"
    path = answer.request.path_url.partition("?")[0]
    pytest.fail(f"{answer.request.method} {path}: {answer.status_code}, {said}")


class Made:
    """What one test makes, all of which it removes again."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._paths: list[str] = []

    def instance(self, path: str = "/instances", **fields: Any) -> dict[str, Any]:
        """Make an instance.

        :param path: Where; an element in it stands for the one in the body.
        :param fields: Further fields of the body; ``configuration`` is added to what logs in.
        """
        body = {**self._platform.create_body, "name": self.name(), **fields}
        login = self._platform.create_body.get("configuration", {})
        body["configuration"] = {**login, **fields.get("configuration", {})}
        if path != "/instances":
            del body["element"]
        made: dict[str, Any] = self._platform.ask("POST", path, json=body)
        self.later(f"/instances/{made['id']}")
        return made

    def later(self, path: str) -> None:
        """Note something that is to be deleted."""
        self._paths.append(path)

    @staticmethod
    def name() -> str:
        """Return a name that nobody else has."""
        return f"airflow-contract-{uuid.uuid4().hex}"

    def remove(self) -> None:
        """Delete everything; what is gone already is no fault."""
        left = []
        for path in reversed(self._paths):
            status = self._platform.call("DELETE", path).status_code
            if status not in (200, 404):
                left.append(f"{path} ({status})")
        if left:
            pytest.fail(f"not removed: {', '.join(left)}", pytrace=False)
