"""An instance of sfdc, and the calls of its bulk jobs."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.api import Api


class Bulk:
    """The bulk calls of one instance."""

    def __init__(self, sandbox: Sandbox, api: Api, element: str = "sfdc") -> None:
        self.sandbox = sandbox
        self.api = api
        created = api.create(element)
        self.id: int = created["id"]
        self.token: str = created["token"]

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.api(method, path, token=self.token, **options)

    def query(self, q: str | None = "select * from contacts", **params: Any) -> dict[str, Any]:
        answer = self("POST", "/bulk/query", params={"q": q, **params})
        assert answer.status_code == 200, answer.text
        started: dict[str, Any] = answer.json()
        return started

    def download(self, **body: Any) -> dict[str, Any]:
        answer = self("POST", "/bulk/download", json={"objectName": "contacts", "format": "txt/csv", **body})
        assert answer.status_code == 200, answer.text
        started: dict[str, Any] = answer.json()
        return started

    def upload(self, name: str, content: str | bytes, meta: str | None = None) -> dict[str, Any]:
        parts: dict[str, Any] = {"file": ("rows", content)}
        if meta is not None:
            parts["metaData"] = (None, meta)
        answer = self("POST", f"/bulk/{name}", files=parts)
        assert answer.status_code == 200, answer.text
        started: dict[str, Any] = answer.json()
        return started

    def status(self, job: dict[str, Any]) -> dict[str, Any]:
        answer = self("GET", f"/bulk/{job['id']}/status")
        assert answer.status_code == 200, answer.text
        status: dict[str, Any] = answer.json()
        return status

    def result(self, job: dict[str, Any], accept: str = "text/csv", **headers: str) -> requests.Response:
        return self("GET", f"/bulk/{job['id']}/contacts", headers={"Accept": accept, **headers})


@pytest.fixture
def bulk(sandbox: Sandbox, api: Api) -> Bulk:
    return Bulk(sandbox, api)
