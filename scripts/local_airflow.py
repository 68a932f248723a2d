"""
A real, private Airflow: API server, scheduler, triggerer and DAG processor in a folder of their own.

``make up`` and the tests that need real processes use it. This module needs only the standard library, and
the Airflow that it starts may live in another environment (``python=``), so one harness serves every line of
Airflow::

    with LocalAirflow(dags_folder, environment={"AIRFLOW_CONN_CE": "..."}) as airflow:
        run_id = airflow.trigger("example")
        assert airflow.wait_run("example", run_id, timeout=120) == "success"

``airflow standalone`` does not serve: it stays up when one of its parts dies, a test cannot kill one of its
parts alone, and a TERM that reaches only the parent leaves the parts behind.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scripts.airflow_rest import LOCK_PATIENCE, AirflowRest, LocalAirflowError, hitl_path, quoted, run_path
from scripts.database_dump import dump_by_sqlalchemy, dump_sqlite, let_readers_and_writers_be
from scripts.processes import (
    LOOPBACK,
    command_line,
    free_ports,
    read_proc,
    running_processes,
    signal_processes,
    start_guard,
    tell,
)

#: Factor of every time-out here. The gate sets more than 1, because it runs several Airflows at once.
PATIENCE = float(os.environ.get("LOCAL_AIRFLOW_PATIENCE") or 1)
#: Every part of an Airflow, by the name of its command.
PARTS = ("api-server", "scheduler", "triggerer", "dag-processor")
#: Least time that a person takes to read a question.
PERSON_SECONDS = 3.0
#: Seconds for which the API server waits for a lock of SQLite; the other processes wait longer. It may wait
#: for itself: the write of its log of actions blocks the event loop, and the request that holds the lock
#: needs the loop to end. The caller gets 500 and repeats, as tasks do.
API_LOCK_PATIENCE = 2.0
TERMINAL_RUN_STATES = frozenset({"success", "failed"})
#: A variable that marks each process, so that we find a process that has left its session.
MARK_VARIABLE = "LOCAL_AIRFLOW_MARK"
#: How many lines of a dead process's output an error shows.
TAIL_LINES = 40


@dataclass
class _Part:
    """One Airflow process, the leader of its own session, and the file of its output."""

    name: str
    command: Sequence[str]
    output: Path
    popen: subprocess.Popen[bytes] | None = None
    started_at: float = 0
    expected_to_run: bool = True
    sessions: set[int] = field(default_factory=set)


class LocalAirflow(AirflowRest):
    """
    A real Airflow in a private folder, on loopback and on free ports, which leaves nothing behind.

    :param dags_folder: folder with the DAG files
    :param environment: further variables for every process, as ``AIRFLOW_CONN_...``; they override ours
    :param python: interpreter of the environment that holds Airflow; default: this one
    :param sql_alchemy_conn: metadata database; default: SQLite in the private folder
    :param home: AIRFLOW_HOME, which stays afterwards; default: a temporary folder, which we remove afterwards
    :param load_examples: whether Airflow loads its own and the providers' example DAGs
    :param api_port: port of the API server and UI; default: a free one
    :param parallelism: how many tasks may run at once
    :param workers: how many Celery workers run the tasks, named worker-1 and so on; ``environment`` names
        their broker. Default: none, and the scheduler runs the tasks
    :param base_path: path below which the API server and UI are, such as ``/some/path``; default: none
    :param further: further processes by their names, each with its arguments after ``airflow``, such as
        ``{"triggerer-2": ["triggerer", "--skip-serve-logs"]}``; default: none
    """

    def __init__(
        self,
        dags_folder: Path | str,
        *,
        environment: Mapping[str, str] | None = None,
        python: Path | str | None = None,
        sql_alchemy_conn: str | None = None,
        home: Path | str | None = None,
        load_examples: bool = False,
        api_port: int | None = None,
        parallelism: int = 8,
        workers: int = 0,
        base_path: str = "",
        further: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.dags_folder = Path(dags_folder).resolve()
        # Do not resolve it: Python recognises a virtual environment by the path of its interpreter's link.
        self.python = Path(python or sys.executable).absolute()
        self._keep_home = home is not None
        self.home = Path(home).resolve() if home else Path(tempfile.mkdtemp(prefix="local-airflow-"))
        self.home.mkdir(parents=True, exist_ok=True)
        self.sql_alchemy_conn = sql_alchemy_conn or f"sqlite:///{self.home / 'airflow.db'}"
        self.api_port, self.worker_log_port, self.trigger_log_port = _ports(api_port)
        super().__init__(
            f"http://{LOOPBACK}:{self.api_port}{base_path}", may_be_locked=self._sqlite_file is not None
        )
        self.load_examples = load_examples
        self.parallelism = parallelism
        self._mark = secrets.token_hex(16)
        self._extra_environment = dict(environment or {})
        self._workers = tuple(f"worker-{number}" for number in range(1, workers + 1))
        self._further = {name: tuple(arguments) for name, arguments in (further or {}).items()}
        self.environment = self._environment()
        self._parts = {name: self._part(name) for name in (*PARTS, *self._workers, *self._further)}
        self._guard: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._stopped = False
        #: DAGs found before this time do not count: see :meth:`forget`.
        self._since = datetime.min.replace(tzinfo=UTC)
        self._printed: dict[str, int] = {}

    # -- life -----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Start everything and wait until it is healthy."""
        try:
            self.start()
            self.wait_healthy()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop everything."""
        self.stop()

    def start(self) -> None:
        """Make the metadata database and start the four processes."""
        atexit.register(self.stop)
        self._guard = start_guard()
        self.command("db", "migrate")
        if self._sqlite_file:
            let_readers_and_writers_be(self._sqlite_file)
        for part in self._parts.values():
            self._start_part(part)

    def stop(self, patience: float = 0.5) -> None:
        """
        End every process: TERM to each, KILL to the rest, then raise if a process still runs.

        :param patience: seconds before the kill; an idle triggerer would take 10, but we need no data of it
        """
        # A forked child of ours inherits the atexit hook, but must not end its parent's Airflow.
        if self._stopped or os.getpid() != self._owner:
            return
        for part in self._parts.values():
            part.expected_to_run = False
        self._end(set(self._sessions()), patience)
        self._dismiss_guard()
        self._stopped = True
        atexit.unregister(self.stop)
        if not self._keep_home:
            shutil.rmtree(self.home, ignore_errors=True)
        if left := self.processes():
            raise LocalAirflowError(f"still running after the stop: {left}")

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL, *, children: bool = True) -> None:
        """
        Send a signal to one part of Airflow, as a machine's failure would.

        :param name: api-server, scheduler, triggerer, dag-processor, worker-1 and so on, or a further one
        :param number: the signal
        :param children: whether its child processes get the signal too; default: yes
        """
        part = self._parts[name]
        popen = _started(part)
        part.expected_to_run = False
        # By session: Airflow gives each task's process a group of its own.
        everything = [one for one, session in running_processes() if session in part.sessions]
        signal_processes(everything if children else [popen.pid], number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            popen.wait(timeout=30)

    def restart(self, name: str, patience: float = 4) -> None:
        """
        End one part if it still runs, and start it again.

        :param name: api-server, scheduler, triggerer, dag-processor, worker-1 and so on, or a further one
        :param patience: seconds before we kill it
        """
        part = self._parts[name]
        part.expected_to_run = False
        self._end(part.sessions, patience)
        self._start_part(part)

    def command(self, *arguments: str, timeout: float = 120) -> str:
        """
        Run one ``airflow`` command in this Airflow's environment and return its output.

        :param arguments: the arguments after ``airflow``
        :param timeout: seconds that it may take
        """
        done = subprocess.run(
            [str(self.python), "-m", "airflow", *arguments],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout * PATIENCE,
            check=False,
        )
        text = done.stdout.decode(errors="replace")
        # The output of commands counts as a log too: it must not hold a secret either.
        with (self.home / "processes" / "commands.log").open("ab") as log:
            log.write(done.stdout)
        if done.returncode:
            raise LocalAirflowError(f"airflow {' '.join(arguments)}: exit {done.returncode}\n{_tail(text)}")
        return text

    def wait_healthy(self, timeout: float = 90) -> None:
        """
        Wait until the API server and all parts that it reports on are healthy.

        :param timeout: seconds
        """
        answer: Any = None
        for _ in self._attempts(timeout):
            with contextlib.suppress(OSError, ValueError):
                answer = self.send("GET", f"{self.url}/api/v2/monitor/health", timeout=5)
                if self._is_healthy(answer):
                    # The API of the tasks builds its routes at the first call, which takes seconds of
                    # processor time. Do that now, not during the first tasks.
                    self.send("GET", f"{self.url}/execution/health", timeout=60)
                    return
        raise LocalAirflowError(f"not healthy after {timeout} s: {answer}\n{self._tails()}")

    def forget(self) -> None:
        """Start afresh for the next user: earlier DAGs and printed lines no longer count."""
        self._since = datetime.now(UTC)
        self._printed = {name: part.output.stat().st_size for name, part in self._parts.items()}

    # -- REST API -------------------------------------------------------------------------------------------

    def wait_dag(self, dag_id: str, timeout: float = 60) -> dict[str, Any]:
        """
        Wait until the DAG processor has stored a DAG, and return it as the API shows it.

        :param dag_id: its id
        :param timeout: seconds
        """
        for _ in self._attempts(timeout):
            try:
                found: dict[str, Any] = self.rest("GET", f"/dags/{quoted(dag_id)}")
            except LocalAirflowError as error:
                if error.status != 404:
                    raise
            else:
                parsed = found["last_parsed_time"]
                if parsed and datetime.fromisoformat(parsed) >= self._since and not found["is_stale"]:
                    return found
        errors = [
            f"{one['filename']}: {one['stack_trace']}" for one in self.pages("/importErrors", "import_errors")
        ]
        raise LocalAirflowError(f"no DAG {dag_id} after {timeout} s; import errors: {errors or 'none'}")

    def unpause(self, dag_id: str) -> None:
        """
        Unpause a DAG.

        :param dag_id: the DAG; if Airflow does not know it yet, we wait for it
        """
        self.wait_dag(dag_id)
        self.rest("PATCH", f"/dags/{quoted(dag_id)}", {"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> str:
        """
        Unpause a DAG, start a run of it and return the run's id.

        :param dag_id: the DAG; if Airflow does not know it yet, we wait for it
        :param conf: the run's configuration
        :param run_id: id of the run; default: a new one
        """
        self.unpause(dag_id)
        named = run_id or f"local-{secrets.token_hex(4)}"
        # The API requires the date. It is null, because the run has none.
        body = {"dag_run_id": named, "logical_date": None, "conf": dict(conf or {})}
        path = f"/dags/{quoted(dag_id)}/dagRuns"
        try:
            self.rest("POST", path, body)
        except TimeoutError:
            # The machine is busy, and the run may have begun. Look it up by its id instead of a second POST.
            self.rest("GET", f"{path}/{quoted(named)}")
        return named

    def wait_run(self, dag_id: str, run_id: str, timeout: float = 120) -> str:
        """
        Wait until a run has ended and return its state, success or failed.

        :param dag_id: the DAG
        :param run_id: the run
        :param timeout: seconds
        """
        state = "unknown"
        for _ in self._attempts(timeout):
            # The API server may be the part that a test has just killed.
            with contextlib.suppress(OSError):
                state = self.rest("GET", run_path(dag_id, run_id))["state"]
            if state in TERMINAL_RUN_STATES:
                return state
        tasks = {
            (one["task_id"], one["map_index"]): one["state"] for one in self.task_instances(dag_id, run_id)
        }
        raise LocalAirflowError(f"{dag_id} {run_id} is {state} after {timeout} s: {tasks}\n{self._tails()}")

    def hitl(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        map_index: int = -1,
        timeout: float = 60,
        times: int = 1,
    ) -> Any:
        """
        Wait until a task asks a person, and return its question: subject, body, options ...

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task
        :param map_index: index of a mapped task
        :param timeout: seconds
        :param times: how often the task has asked by then, because it did not take the answers before
        """
        ended = f"Finished: dag_id={dag_id}, task_id={task_id}, run_id={run_id}, map_index={map_index},"
        for _ in self._attempts(timeout):
            try:
                asked = self.rest("GET", hitl_path(dag_id, run_id, task_id, map_index))
            except LocalAirflowError as error:
                if error.status != 404:
                    raise
                continue
            # The task writes its question before it begins to wait. Only then does it notice an answer.
            waits = asked["task_instance"]["state"] in ("deferred", "awaiting_input")
            waits = waits and not asked["response_received"]
            # Wait until the scheduler has noted the end of the first half's process, as no person answers
            # sooner. After a sooner answer it would take that end for the second half's and fail the task.
            if waits and self.process_log("scheduler").count(ended) >= times:
                time.sleep(PERSON_SECONDS)
                return asked
        raise LocalAirflowError(f"{task_id} asked no question within {timeout} s\n{self._tails()}")

    # -- what it leaves behind: for searches ----------------------------------------------------------------

    def log_files(self) -> Iterator[tuple[Path, bytes]]:
        """Yield every log file under the home folder, with the output of the processes and commands."""
        for folder in (self.home / "logs", self.home / "processes"):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    yield path, path.read_bytes()

    def task_log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1, map_index: int = -1) -> str:
        """
        Return the log of one try of a task from its file.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task
        :param attempt: number of the try, from 1
        :param map_index: index of a mapped task
        """
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        if map_index >= 0:
            folder /= f"map_index={map_index}"
        return (folder / f"attempt={attempt}.log").read_text()

    def process_log(self, name: str) -> str:
        """
        Return the output of one of the processes since :meth:`forget`, or else all of it.

        :param name: api-server, scheduler, triggerer, dag-processor, worker-1 and so on, or a further one
        """
        printed = self._parts[name].output.read_bytes()[self._printed.get(name, 0) :]
        return printed.decode(errors="replace")

    @property
    def _sqlite_file(self) -> str | None:
        """The metadata database's file if it is SQLite, else None."""
        file = self.sql_alchemy_conn.removeprefix("sqlite:///")
        return None if file == self.sql_alchemy_conn else file

    def dump_database(self) -> Iterator[tuple[str, str, str | bytes]]:
        """Yield (table, column, value) for every non-null value in the metadata database."""
        if self._sqlite_file:
            return dump_sqlite(self._sqlite_file)
        return dump_by_sqlalchemy(self.sql_alchemy_conn)

    def processes(self) -> dict[int, str]:
        """Return id and command line of every running process of this Airflow, children included."""
        sessions = self._sessions()
        mark = f"{MARK_VARIABLE}={self._mark}".encode()
        return {
            process: command_line(process)
            for process, session in running_processes()
            if session in sessions or mark in read_proc(f"/proc/{process}/environ")
        }

    # -- inside ---------------------------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        """Return the variables of every process: inherited ones without Airflow's, ours, the caller's."""
        inherited = without_airflow(os.environ)
        path = f"{self.python.parent}{os.pathsep}{inherited.get('PATH', os.defpath)}"
        own = {"AIRFLOW_HOME": str(self.home), "PATH": path, MARK_VARIABLE: self._mark}
        # Our own processes must not talk to each other through the caller's proxy.
        own |= {"NO_PROXY": f"{LOOPBACK},localhost", "no_proxy": f"{LOOPBACK},localhost"}
        own |= {f"AIRFLOW__{name}": str(value) for name, value in self._settings().items()}
        return inherited | own | self._extra_environment

    def _settings(self) -> dict[str, Any]:
        """Return Airflow's settings, each named as in its environment variable."""
        return {
            "DATABASE__SQL_ALCHEMY_CONN": self.sql_alchemy_conn,
            "CORE__DAGS_FOLDER": self.dags_folder,
            "CORE__LOAD_EXAMPLES": self.load_examples,
            "CORE__EXECUTOR": "CeleryExecutor" if self._workers else "LocalExecutor",
            "CORE__PARALLELISM": self.parallelism,
            "CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": True,
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": self.home / "passwords.json",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__TEST_CONNECTION": "Enabled",
            # The default asks the name server for a full name, and may hang if there is no name server.
            "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            "API__HOST": LOOPBACK,
            "API__PORT": self.api_port,
            "API__BASE_URL": self.url,
            "API__WORKERS": 1,
            "API__SECRET_KEY": secrets.token_hex(16),
            "API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "LOGGING__BASE_LOG_FOLDER": self.home / "logs",
            # The log servers listen on every address. No setting changes that.
            "LOGGING__WORKER_LOG_SERVER_PORT": self.worker_log_port,
            "LOGGING__TRIGGER_LOG_SERVER_PORT": self.trigger_log_port,
            # With the default of 5 s a deferral often fails if its trigger fires sooner: the supervisor
            # of the first half lingers and reports success while the second half is queued.
            "WORKERS__MIN_HEARTBEAT_INTERVAL": 1,
            # If a task's first call takes longer than the default of 5 s, the task repeats it. The API then
            # answers that the task runs already, and the task ends.
            "WORKERS__EXECUTION_API_TIMEOUT": 60,
            # A shorter sleep costs more processor time than it saves: each look takes 20 ms in each Airflow.
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.4,
            "SCHEDULER__JOB_HEARTBEAT_SEC": 1,
            "TRIGGERER__JOB_HEARTBEAT_SEC": 1,
            "DAG_PROCESSOR__REFRESH_INTERVAL": 2,
            "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": 1,
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 30,
            "USAGE_DATA_COLLECTION__ENABLED": False,
        }

    def _part(self, name: str) -> _Part:
        """
        Describe one of Airflow's processes.

        :param name: its command, or the name that the caller gave it
        """
        output = self.home / "processes" / f"{name}.log"
        output.parent.mkdir(exist_ok=True)
        command = [name]
        if name in self._workers:
            # Each needs a name and a file of its own. Nobody reads their logs over the network.
            file = str(self.home / f"{name}.pid")
            command = ["celery", "worker", "--celery-hostname", name, "--pid", file, "--skip-serve-logs"]
        elif name in self._further:
            command = list(self._further[name])
        return _Part(name, (str(self.python), "-m", "airflow", *command), output)

    def _start_part(self, part: _Part) -> None:
        """
        Start one process in its own session, and report the session to the guard.

        :param part: the part to start
        """
        environment = self.environment
        if self._sqlite_file:
            patience = API_LOCK_PATIENCE if part.name == "api-server" else LOCK_PATIENCE
            connection = f"{self.sql_alchemy_conn}?timeout={patience:.0f}"
            environment = environment | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": connection}
        with part.output.open("ab") as output:
            part.popen = subprocess.Popen(
                part.command,
                env=environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        part.started_at = time.time()
        part.sessions.add(part.popen.pid)
        part.expected_to_run = True
        if self._guard is not None:
            tell(self._guard, part.popen.pid)

    def _sessions(self) -> set[int]:
        """Return the sessions of all processes that we have ever started."""
        return set().union(*(part.sessions for part in self._parts.values()))

    def _end(self, sessions: set[int], patience: float) -> None:
        """
        End all processes of some sessions, gently first.

        :param sessions: the sessions; if these are all, the marks find processes that have left them
        :param patience: seconds before we kill the rest
        """
        everything = sessions == self._sessions()

        def left() -> list[int]:
            self._reap()
            if everything:
                return list(self.processes())
            return [process for process, session in running_processes() if session in sessions]

        signal_processes(left(), signal.SIGTERM)
        deadline = time.monotonic() + patience
        while left() and time.monotonic() < deadline:
            time.sleep(0.05)
        # Only the second look sees a process that was just being forked.
        for _ in range(50):
            if not (rest := left()):
                break
            signal_processes(rest, signal.SIGKILL)
            time.sleep(0.05)
        # A process about to end has no environment any more and counts as gone, but has no exit code yet.
        for part in self._parts.values():
            if part.popen is not None and part.popen.pid in sessions:
                part.popen.wait(timeout=30)

    def _reap(self) -> None:
        """Collect the exit codes of our children, so that none stays a zombie."""
        for part in self._parts.values():
            if part.popen is not None:
                part.popen.poll()

    def _dismiss_guard(self) -> None:
        """End the guard, since no session is left to guard."""
        if self._guard is not None:
            self._guard.kill()
            self._guard.wait()
            if self._guard.stdin is not None:
                self._guard.stdin.close()
            self._guard = None

    def _attempts(self, timeout: float, pause: float = 0.25) -> Iterator[None]:
        """
        Yield until the time is over, and raise at once when a process has died that should run.

        :param timeout: seconds, times the patience
        :param pause: seconds between two attempts
        """
        deadline = time.monotonic() + timeout * PATIENCE
        while time.monotonic() < deadline:
            self.check_alive()
            yield
            time.sleep(pause)

    def check_alive(self) -> None:
        """Raise an error with the last lines of a process that has ended by itself."""
        for part in self._parts.values():
            if part.popen is None or not part.expected_to_run:
                continue
            code = part.popen.poll()
            if code is not None:
                text = part.output.read_text(errors="replace")
                raise LocalAirflowError(
                    f"airflow {part.name} ended with {code}; its last lines:\n{_tail(text)}"
                )

    def _is_healthy(self, report: Mapping[str, Mapping[str, Any]]) -> bool:
        """
        Return whether all parts that we started are healthy, by a heartbeat from after their start.

        :param report: the API server's report, which counts a dead process as healthy for half a minute
        """
        if report["metadatabase"]["status"] != "healthy":
            return False
        for name, part in self._parts.items():
            # The report knows no others; and one triggerer, whichever beat last.
            if name not in PARTS or name == "api-server" or not part.expected_to_run:
                continue
            key = name.replace("-", "_")
            said = report[key] or {}
            beat = said.get(f"latest_{key}_heartbeat")
            if said.get("status") != "healthy" or beat is None:
                return False
            if datetime.fromisoformat(beat).timestamp() < part.started_at:
                return False
        return True

    def _tails(self) -> str:
        """Return the last lines of every process, for an error message."""
        return "\n".join(
            f"--- {part.name}\n{_tail(part.output.read_text(errors='replace'), 10)}"
            for part in self._parts.values()
            if part.output.exists()
        )


def without_airflow(variables: Mapping[str, str]) -> dict[str, str]:
    """
    Return variables without those of Airflow, so that none of the caller's settings takes effect.

    :param variables: an environment
    """
    return {
        name: value for name, value in variables.items() if not name.startswith(("AIRFLOW_", "_AIRFLOW_"))
    }


def _ports(api_port: int | None) -> tuple[int, int, int]:
    """
    Return the ports of the API server and of the two log servers.

    :param api_port: the API server's port; default: a free one
    """
    free = free_ports(3)
    return api_port or free[0], free[1], free[2]


def _started(part: _Part) -> subprocess.Popen[bytes]:
    """
    Return the process of a part.

    :param part: a part that we have started
    """
    if part.popen is None:
        raise LocalAirflowError(f"{part.name} was never started")
    return part.popen


def _tail(text: str, lines: int = TAIL_LINES) -> str:
    """
    Return the end of a text.

    :param text: the text
    :param lines: number of lines
    """
    return "\n".join(text.splitlines()[-lines:])
