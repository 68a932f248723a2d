"""
Airflow's REST API as an administrator calls it: connections, runs, XComs, questions to persons.

This module imports only the standard library.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

#: Seconds for which a process waits for a lock of SQLite, and for which we repeat a call of the REST API that
#: failed because of one. With SQLite's default of 5 a scheduler ends when it waits for other writers.
LOCK_PATIENCE = 60.0
#: Largest page that the REST API serves by default.
PAGE_SIZE = 100
# Use no proxy, whatever the environment says: all calls go to loopback.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class LocalAirflowError(RuntimeError):
    """Airflow did not start, died, returned an error, or was too slow."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class AirflowRest:
    """
    The REST API of one Airflow.

    :param url: origin of its API server
    :param may_be_locked: whether its database is SQLite, which fails a call while others write
    """

    def __init__(self, url: str, *, may_be_locked: bool) -> None:
        self.url = url
        self._may_be_locked = may_be_locked
        self._token: str | None = None

    def rest(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """
        Call Airflow's REST API and return the parsed answer.

        :param method: HTTP method
        :param path: path below /api/v2, with a leading slash; its parts must be quoted already
        :param body: the request's body, sent as JSON
        :param parameters: query parameters; a list becomes a repeated parameter
        """
        url = f"{self.url}/api/v2{path}"
        if parameters:
            url += "?" + urllib.parse.urlencode(parameters, doseq=True)
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                return self.send(method, url, body, {"Authorization": f"Bearer {self.token()}"})
            except LocalAirflowError as error:
                # SQLite is locked while others write. Airflow has rolled the call back, so repeat it.
                locked = error.status == HTTPStatus.INTERNAL_SERVER_ERROR and self._may_be_locked
                if not locked or time.monotonic() > deadline:
                    raise
            except TimeoutError:
                # The machine is busy. Repeat the call, unless its effect would come twice.
                if method == "POST" or time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def token(self) -> str:
        """Return a token for the REST API. Every caller is an administrator here."""
        if self._token is None:
            self._token = str(self.send("GET", f"{self.url}/auth/token")["access_token"])
        return self._token

    def add_connection(self, connection_id: str, conn_type: str, **fields: Any) -> None:
        """
        Store a connection in the database, which holds it encrypted.

        :param connection_id: its id
        :param conn_type: its type
        :param fields: host, login, password, schema, port, description, extra (a dict or a JSON text)
        """
        if isinstance(fields.get("extra"), Mapping):
            fields["extra"] = json.dumps(fields["extra"])
        self.rest("POST", "/connections", {"connection_id": connection_id, "conn_type": conn_type, **fields})

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """
        Return all task instances of a run, one for each index of a mapped task.

        :param dag_id: the DAG
        :param run_id: the run
        """
        return list(self.pages(f"{run_path(dag_id, run_id)}/taskInstances", "task_instances"))

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """
        Return the state of every task of a run. The name of a mapped one is ``task[index]``.

        :param dag_id: the DAG
        :param run_id: the run
        """
        return {
            one["task_id"] if one["map_index"] < 0 else f"{one['task_id']}[{one['map_index']}]": one["state"]
            for one in self.task_instances(dag_id, run_id)
        }

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1
    ) -> Any:
        """
        Return one XCom value as the task pushed it.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task
        :param key: the XCom's key
        :param map_index: index of a mapped task
        """
        path = f"{run_path(dag_id, run_id)}/taskInstances/{quoted(task_id)}/xcomEntries/{quoted(key)}"
        return self.rest("GET", path, map_index=map_index, stringify="false")["value"]

    def answer(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        params_input: Mapping[str, Any],
        map_index: int = -1,
        option: str = "OK",
    ) -> None:
        """
        Answer a task that waits for a person, with the call that the page of required actions makes.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task
        :param params_input: the values of the form's fields
        :param map_index: index of a mapped task
        :param option: the button to press
        """
        body = {"chosen_options": [option], "params_input": dict(params_input)}
        path = hitl_path(dag_id, run_id, task_id, map_index)
        try:
            self.rest("PATCH", path, body)
        except LocalAirflowError as error:
            # The repetition of a call that was answered with 500 although Airflow had taken the answer.
            if error.status != 409 or self.rest("GET", path)["params_input"] != body["params_input"]:
                raise

    def rendered_fields(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """
        Return the rendered template fields as the page of the UI shows them.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task
        :param map_index: index of a mapped task
        """
        path = f"{run_path(dag_id, run_id)}/taskInstances/{quoted(task_id)}"
        if map_index >= 0:
            path += f"/{map_index}"
        fields: dict[str, Any] = self.rest("GET", path)["rendered_fields"]
        return fields

    def pages(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        """
        Yield all entries of a list of the REST API.

        :param path: path below /api/v2
        :param key: the answer's key for the entries
        """
        offset = 0
        while True:
            answer = self.rest("GET", path, limit=PAGE_SIZE, offset=offset)
            yield from answer[key]
            offset += PAGE_SIZE
            if offset >= answer["total_entries"]:
                return

    def send(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> Any:
        """
        Send one request and return the parsed JSON, or None when the answer has no body.

        :param method: HTTP method
        :param url: the address
        :param body: the request's body, sent as JSON
        :param headers: further headers
        :param timeout: seconds to wait for the answer
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {**(headers or {})}, method=method)  # noqa: S310
        request.add_header("Content-Type", "application/json")
        try:
            with _OPENER.open(request, timeout=timeout) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            detail = error.read().decode(errors="replace")
            raise LocalAirflowError(f"{method} {url}: {error.code} {detail}", error.code) from error
        return json.loads(text) if text else None


def quoted(part: str) -> str:
    """
    Return a part of a path, quoted for a URL.

    :param part: any text
    """
    return urllib.parse.quote(part, safe="")


def hitl_path(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """
    Return the path of a task's question to a person below /api/v2.

    :param dag_id: the DAG
    :param run_id: the run
    :param task_id: the task
    :param map_index: index of a mapped task, or -1
    """
    return f"{run_path(dag_id, run_id)}/taskInstances/{quoted(task_id)}/{map_index}/hitlDetails"


def run_path(dag_id: str, run_id: str) -> str:
    """
    Return the path of a DAG run below /api/v2.

    :param dag_id: the DAG
    :param run_id: the run
    """
    return f"/dags/{quoted(dag_id)}/dagRuns/{quoted(run_id)}"
