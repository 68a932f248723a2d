"""Random worlds against random manifests, with faults and kills in between.

After an apply a plan is empty, and applying it writes nothing. A plan touches nothing that the ownership tag
does not cover, and prunes nothing of another namespace. A protected instance is not deleted, replaced or
disabled. A key has one managed instance.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.tags import Identity, namespace_tag, own_tags
from airflow_provider_cloudelements.connections import ElementSettings
from airflow_provider_cloudelements.exceptions import CloudElementsError
from airflow_provider_cloudelements.fleet import apply, plan
from airflow_provider_cloudelements.provisioning import InstanceSpec, ensure
from tests.support.fleet import TAG, Connections, connection, manifest_of
from tests.support.platform import Person, Wire, client_of

KEYS = ("k1", "k2", "k3", "k4")
ROWS = st.fixed_dictionaries(
    {"name": st.sampled_from(["A", "B", "C"])},
    optional={
        "tags": st.lists(st.sampled_from(["gold", "blue", "x & y"]), unique=True),
        "element_conn_id": st.sampled_from(["closeio_app", "rotated", "pipe"]),
        "state": st.sampled_from(["present", "absent", "disabled"]),
        "protect": st.booleans(),
        "moved_from": st.sampled_from(["k1", "old"]),
        "events_enabled": st.booleans(),
        "configuration": st.fixed_dictionaries(
            {"event.poller.refresh_interval": st.sampled_from(["15", "30"])}
        ),
    },
)
FAULTS: dict[str, dict[str, Any]] = {
    "lost": {"action": "drop", "when": "after", "method": "POST", "path": "/instances"},
    "dropped": {"action": "drop", "method": "POST", "path": "/instances"},
    "too many": {"action": "status", "status": 429, "count": 3},
    "down": {"action": "status", "status": 503, "when": "before", "count": 2},
    "answered late": {"action": "status", "status": 502, "when": "after", "method": "PATCH"},
    "list breaks off": {"action": "status", "status": 503, "method": "GET", "path": "/instances", "skip": 1},
}
OPTIONS = st.fixed_dictionaries(
    {
        "prune": st.booleans(),
        "adopt": st.booleans(),
        "fault": st.sampled_from([None, None, *FAULTS]),
        "kill": st.none() | st.tuples(st.integers(1, 12), st.booleans()),
        # Whether another apply carries out the same plan at the same time.
        "beside": st.sampled_from([False, False, True]),
    }
)
NUMBER = st.integers(0, 5)
STEPS = st.one_of(
    st.tuples(st.just("apply"), OPTIONS),
    st.tuples(st.just("apply"), OPTIONS),
    st.tuples(st.just("row"), st.tuples(st.sampled_from(KEYS), ROWS)),
    st.tuples(st.just("row"), st.tuples(st.sampled_from(KEYS), ROWS)),
    st.tuples(st.just("forget row"), st.sampled_from(KEYS)),
    st.tuples(st.just("scheduled create"), st.sampled_from([*KEYS, "old"])),
    st.tuples(st.just("by hand"), st.tuples(st.sampled_from(["A", "B"]), st.booleans())),
    st.tuples(st.just("other namespace"), st.sampled_from(["A", "B"])),
    st.tuples(st.just("disable"), NUMBER),
    st.tuples(st.just("rename"), NUMBER),
    st.tuples(st.just("events off"), NUMBER),
    st.tuples(st.just("drop our tag"), NUMBER),
    st.tuples(st.just("drop all tags"), NUMBER),
    st.tuples(st.just("twin"), NUMBER),
    st.tuples(st.just("delete"), NUMBER),
    st.tuples(st.just("invalidate"), NUMBER),
)


class Killed(BaseException):
    """A process ends here."""


class World:
    """Plays steps, and checks after each apply what must hold."""

    def __init__(self, sandbox):
        sandbox.reset()
        self.sandbox, self.person = sandbox, Person(sandbox)
        self.rows: dict[str, dict[str, Any]] = {}
        self.connections = Connections(
            rotated=connection("second/pass="),
            pipe=ElementSettings(
                "pipedrive",
                "custom",
                {
                    "api.token": "pipe/token+=",
                    "event.notification.callback.url": "https://hooks.example.com/events",
                },
                "pipe",
            ),
        )

    def play(self, step: str, given: Any) -> None:
        """Play one step."""
        if step == "apply":
            self.apply(**given)
        elif step == "row":
            self.change_row(*given)
        elif step == "forget row":
            self.rows.pop(given, None)
        elif step == "scheduled create":
            self.scheduled_create(given)
        elif step == "by hand":
            name, covered = given
            self.person.make("basic", name, tags=[TAG] if covered else ["by hand"])
        elif step == "other namespace":
            self.person.make(
                "basic", given, tags=[TAG, *Identity("other", given).tags, namespace_tag("other")]
            )
        elif there := self.sandbox.instances():
            self.touch(step, there[given % len(there)])

    def change_row(self, key: str, row: dict[str, Any]) -> None:
        row = dict(row)
        if row.get("protect"):
            row.pop("state", None)
        if row.get("state") == "absent":
            row.pop("moved_from", None)
        former = row.get("moved_from")
        others = [each for name, each in self.rows.items() if name != key]
        if (
            former == key
            or former in self.rows
            or any(each.get("moved_from") in (former, key) for each in others)
        ):
            row.pop("moved_from", None)
        if any(each.get("moved_from") == key for each in others):
            return
        self.rows[key] = row

    def scheduled_create(self, key: str) -> None:
        spec = InstanceSpec("closeio", "A", key, {"username": "ada", "password": "pw"}, tags=("scheduled",))
        try:
            ensure(client_of(self.sandbox).instances, spec, with_token=False)
        except Exception as error:
            assert "instance key" in str(error) or "disabled" in str(error) or "not valid" in str(error)  # noqa: PT017

    def touch(self, step: str, instance: dict[str, Any]) -> None:
        number = instance["id"]
        if step == "disable":
            self.person.disable(number)
        elif step == "rename":
            self.person.edit(number, name="By a person")
        elif step == "events off":
            self.person.edit(number, configuration={"event.notification.enabled": False})
        elif step == "drop our tag":
            self.person.edit(number, tags=[each for each in instance["tags"] if each != TAG])
        elif step == "drop all tags":
            self.person.edit(number, tags=["kept"])
        elif step == "twin":
            self.person.make("basic", instance["name"], tags=instance["tags"])
        elif step == "delete":
            self.person.delete(number)
        else:
            self.sandbox.set_instance(number, valid=False)

    # -- the apply, and what must hold ------------------------------------------------------------------

    def manifest(self):
        return manifest_of(*({"key": key, **row} for key, row in self.rows.items())).check()

    def apply(
        self, prune: bool, adopt: bool, fault: str | None, kill: tuple[int, bool] | None, beside: bool
    ) -> None:
        options = {"prune": prune, "adopt": adopt}
        made = plan(client_of(self.sandbox), self.manifest(), self.connections, **options)
        force = ["updates", "deletes", *(each.force for each in made.violations)]
        before = {each["id"]: self.person.show(each["id"]) for each in self.sandbox.instances()}
        touched = {each.instance_id for each in made.changes}
        self.check_plan(made, before, adopt)
        if fault is not None:
            self.sandbox.add_fault(**FAULTS[fault])
        if kill is not None:
            self.killed(made, force, *kill)
        other = threading.Thread(target=self.applied_beside, args=(made, force))
        if beside:
            other.start()
        for _ in range(4):
            try:
                report = apply(
                    client_of(self.sandbox),
                    made,
                    made.checksum,
                    self.connections,
                    force=force,
                    settle_time=0.3,
                    concurrency=3,
                )
            except Exception:
                if fault is None:
                    raise
                continue  # the account could not be read
            if other.is_alive():
                other.join()
                continue  # whoever looks last sees what both have made
            if report.ok or fault is None:
                break
        self.sandbox.clear_faults()
        self.check_world(before, touched)
        refused = [each for each in report.failed if "did not mend it" in (each.message or "")]
        assert report.failed == refused, (report.markdown(), made.table())
        if refused:
            return  # the vendor refuses the row's credentials: only others can mend the instance
        again = plan(client_of(self.sandbox), self.manifest(), self.connections, **options)
        assert again.empty, (again.table(), made.table(), report.markdown())
        wire = Wire(self.sandbox)
        assert apply(client_of(self.sandbox), again, again.checksum, self.connections).ok
        assert wire.writes() == []

    def killed(self, made, force, calls: int, before: bool) -> None:
        """End an apply before or after one of its calls, in whatever thread."""
        client = client_of(self.sandbox)
        send, left = client.http.send, [calls]

        def counted(*args, **more):
            left[0] -= 1
            if left[0] == 0 and before:
                raise Killed
            answer = send(*args, **more)
            if left[0] == 0:
                raise Killed
            return answer

        client.http.send = counted
        try:
            apply(client, made, made.checksum, self.connections, force=force, settle_time=0.3, concurrency=3)
        except (Killed, Exception):
            return

    def applied_beside(self, made, force) -> None:
        """Carry out a plan while another apply does. A fault may end this one; the other one goes on."""
        with contextlib.suppress(CloudElementsError):
            apply(
                client_of(self.sandbox),
                made,
                made.checksum,
                self.connections,
                force=force,
                settle_time=0.3,
                concurrency=3,
            )

    def check_plan(self, made, before, adopt: bool) -> None:
        protected = {key for key, row in self.rows.items() if row.get("protect")}
        of_protected = {Identity("", key).key_tag for key in protected}
        for each in made.changes:
            if each.kind in ("delete", "replace"):
                assert not of_protected & set(before[each.instance_id]["tags"]), made.table()
            if each.key in protected:
                assert each.kind not in ("delete", "replace", "disable"), made.table()
            if each.instance_id is not None:
                covered = TAG in before[each.instance_id]["tags"]
                assert covered or (each.kind in ("adopt", "move") and adopt), made.table()
            if each.kind == "delete" and each.key.startswith("instance "):
                tags = before[each.instance_id]["tags"]
                assert namespace_tag("other") not in tags, made.table()
                assert namespace_tag("") in tags or own_tags(tags), made.table()

    def check_world(self, before, touched) -> None:
        after = {each["id"]: self.person.show(each["id"]) for each in self.sandbox.instances()}
        for number, shown in before.items():
            if number not in touched:
                assert after.get(number) == shown, number
        for key in KEYS:
            identity = Identity("", key)
            ours = [
                each
                for each in after.values()
                if identity.key_tag in each["tags"] and each["id"] not in before
            ]
            assert len(ours) <= 1, key


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=3, max_size=14))
def test_random_worlds_against_random_manifests(cloudelements_sandbox, steps):
    world = World(cloudelements_sandbox)
    for step, given_ in [
        *steps,
        ("apply", {"prune": True, "adopt": True, "fault": None, "kill": None, "beside": False}),
    ]:
        world.play(step, given_)
