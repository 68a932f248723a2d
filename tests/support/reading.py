"""The runs of a DAG whose task goes on where it ended, in memory: what Airflow answers of their XComs."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pendulum

#: The date of run 0. That of run 1 is a day later.
FIRST = pendulum.datetime(2026, 1, 1)


def tupled(value):
    """Return JSON with tuples in place of lists, as some XCom backends give it back."""
    if isinstance(value, dict):
        return {key: tupled(each) for key, each in value.items()}
    return tuple(map(tupled, value)) if isinstance(value, list) else value


class Runs:
    """The runs of a DAG, and what Airflow's API answers of their XComs.

    :param nulls_first: Whether runs without a logical date sort before all others, as on PostgreSQL.
    :param other_dags: Whether a much later run of another DAG has a run's id: Airflow 3.1 and 3.2 then take
        one for the other.
    """

    def __init__(self, nulls_first=False, other_dags=False):
        self.runs, self.xcoms, self.states = {}, {}, {}
        self.nulls_first, self.other_dags = nulls_first, other_dags

    def task_of(self, day, dated=True, map_index=-1):
        run_id = f"{'dated' if dated else 'undated'}-{day}"
        date = FIRST.add(days=day)
        run = SimpleNamespace(run_id=run_id, logical_date=date if dated else None, run_after=date)
        self.runs[run_id] = run
        ti = SimpleNamespace(dag_id="d", task_id="read", run_id=run_id, map_index=map_index)
        ti.xcom_push = lambda key, value: self._push(ti, key, value)
        ti.xcom_pull = lambda **which: self._pull(ti, **which)
        ti.get_previous_dagrun = lambda state: self._previous(run, state)
        ti.get_task_states = lambda dag_id, task_ids, run_ids: {each: self.states[each] for each in run_ids}
        return {"ti": ti, "dag_run": run}

    def end(self, context, state="success"):
        """Give the task of a run its state."""
        index = context["ti"].map_index
        name = "read" if index < 0 else f"read_{index}"
        self.states.setdefault(context["ti"].run_id, {})[name] = state

    def _push(self, ti, key, value):
        self.xcoms[ti.run_id, ti.map_index, key] = json.loads(json.dumps(value))

    def _date(self, run_id):
        run = self.runs[run_id]
        return run.logical_date or run.run_after

    def _pull(
        self, ti, task_ids, key, include_prior_dates=False, map_indexes="all", run_id=None, default=None
    ):
        latest = FIRST.add(years=1) if self.other_dags else self._date(ti.run_id)
        found = [
            (run, value)
            for (run, index, name), value in self.xcoms.items()
            if name == key
            and map_indexes in ("all", index)
            and (self._date(run) <= latest if include_prior_dates else run == (run_id or ti.run_id))
        ]
        found.sort(key=lambda each: self._order(each[0]), reverse=True)
        if map_indexes == "all":
            return [value for _, value in found]
        return found[0][1] if found else default

    def _order(self, run_id):
        date = self.runs[run_id].logical_date
        return (self.nulls_first if date is None else not self.nulls_first, self._date(run_id))

    def _previous(self, run, state):
        earlier = [
            each
            for each in self.runs.values()
            if each.logical_date is not None
            and each.logical_date < run.logical_date
            and (state is None or set(self.states.get(each.run_id, {}).values()) == {state})
        ]
        return max(earlier, key=lambda each: each.logical_date, default=None)
