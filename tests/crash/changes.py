"""What the crash schedules of the changing operators start from, and how they may end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_cloudelements.sandbox import Sandbox

KINDS = ("update", "events on", "events off", "enable", "disable", "new secret", "new code")
ENABLED = "event.notification.enabled"
URL = "event.notification.callback.url"
SIGNATURE = "event.notification.signature.key"
CALLBACK = "https://hooks.example.com/events"
OTHER = "https://other.example.com/events"
KEY = "closeio/A changed instance"

_READ = (("GET", "/instances/*"), ("GET", "/instances"))
_WRITE = ("PATCH", "/instances/*")
_LOG_IN = (
    *_READ,
    _WRITE,
    _WRITE,
    ("PUT", "/instances/*/enabled"),
    ("DELETE", "/instances/*/enabled"),
    ("GET", "/ping"),
)
#: The calls of each kind that faults may hit; the one that matters most first.
CALLS: dict[str, tuple[tuple[str, str], ...]] = {
    "update": (_WRITE, *_READ),
    "events on": (_WRITE, *_READ, ("GET", "/elements/*/metadata")),
    "events off": (_WRITE, *_READ),
    "enable": (("PUT", "/instances/*/enabled"), *_READ),
    "disable": (("DELETE", "/instances/*/enabled"), *_READ),
    "new secret": (_WRITE, *_LOG_IN),
    "new code": (_WRITE, *_LOG_IN),
}
#: Lines of the package that each runs, about.
LINES = {"update": 1350, "events on": 1800, "events off": 1080, "enable": 750, "disable": 750}
LOG_IN_LINES = 1400


class Wrong(AssertionError):
    """It did not end as it must."""


def _require(**facts: bool) -> None:
    if wrong := [name for name, holds in facts.items() if not holds]:
        raise Wrong(f"not as it must be: {', '.join(wrong)}")


class Story:
    """An instance, the operator that changes it, and how that may end."""

    def __init__(self, sandbox: Sandbox, kind: str, chance: Any, folder: Path, settle: float) -> None:
        from tests.support.platform import Person

        self.sandbox, self.kind, self.chance = sandbox, kind, chance
        self.person = Person(sandbox)
        self.way = "code" if kind == "new code" else "basic"
        self.id = self._make(folder)
        #: Calls that were answered 429, so that the vendor was not asked for a code in them.
        self.unasked = 0
        #: Whether the vendor refuses what the schedule brings, and whether the instance was disabled before.
        self.refused = self.disabled = False
        self.operator = self._operator(settle)
        self.before = self.person.show(self.id)

    def _make(self, folder: Path) -> int:
        """Make the instance: the create operator, or a person, without a marker."""
        from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
        from tests.crash.harness import FileTi
        from tests.support.platform import WAYS

        self.by_person = self.chance.random() < 0.3
        events = self.kind != "events on"
        element, configuration = WAYS[self.way]
        if self.by_person:
            on = {ENABLED: events, URL: CALLBACK} if events else {}
            return self.person.make(
                self.way, "A changed instance", configuration={**configuration, **on}, tags=["by hand", "z"]
            )
        create = CloudElementsCreateInstanceOperator(
            task_id="create",
            element=element,
            instance_name="A changed instance",
            configuration=configuration,
            authorization_code=self.sandbox.code(element) if self.way == "code" else None,
            events_enabled=events,
            event_callback_url=CALLBACK if events else None,
            tags=["by hand", "z"],
        )
        return create.execute({"ti": FileTi(folder / "earlier.json", 1)})["id"]  # type: ignore[arg-type]

    def _operator(self, settle: float) -> Any:
        from airflow_provider_cloudelements.operators import changes, events

        named: dict[str, Any] = {"task_id": "change", "instance_id": self.id}
        if not self.by_person and self.way == "basic" and self.chance.random() < 0.5:
            named = {"task_id": "change", "instance_key": KEY}
        if self.kind == "update":
            return changes.CloudElementsUpdateInstanceOperator(
                **named,
                instance_name="Renamed",
                add_tags=["added"],
                remove_tags=["by hand"],
                configuration={"username": "grace", "password": "second-password"},
                event_callback_url=OTHER,
            )
        if self.kind == "events on":
            return events.CloudElementsEnableEventsOperator(
                **named, event_callback_url=CALLBACK, event_signature_key="signature-1"
            )
        if self.kind == "events off":
            return events.CloudElementsDisableEventsOperator(**named)
        if self.kind in ("enable", "disable"):
            # Now and then it is so already.
            if (self.kind == "enable") is (self.chance.random() < 0.9):
                self.person.disable(self.id)
            if self.kind == "enable":
                return changes.CloudElementsEnableInstanceOperator(**named)
            return changes.CloudElementsDisableInstanceOperator(**named)
        self.disabled = self.chance.random() < 0.6
        self.refused = self.chance.random() < 0.35
        operator = changes.CloudElementsReauthenticateInstanceOperator(
            **named,
            settle_time=settle,
            **(self._new_code() if self.kind == "new code" else self._new_secret()),
        )
        if self.disabled:
            self.person.disable(self.id)
        return operator

    def _new_code(self) -> dict[str, Any]:
        code = "never-given-out" if self.refused else self.sandbox.code()
        if self.chance.random() < 0.5:
            self.sandbox.set_instance(self.id, valid=False)
        return {"authorization_code": code}

    def _new_secret(self) -> dict[str, Any]:
        if self.refused:
            accepted = [self.chance.choice(("first-password", "of nobody"))]
        else:
            accepted = [*self.chance.choice(([], ["first-password"])), "second-password"]
        self.sandbox.vendor_secrets("closeio", accepted)
        return {"configuration": {"password": "second-password"}}

    # -- the end ------------------------------------------------------------------------------------

    def check_success(self, xcom: dict[str, Any]) -> str:
        """Check what a success leaves; return what to call it."""
        after = self._check_kept()
        returned = xcom.pop("return_value")
        _require(
            nothing_else_in_xcom=xcom == {},
            the_same_id_returned=returned["id"] == self.id,
            no_token_returned=after["token"] not in json.dumps(returned),
            vendor_takes_it=not self.refused,
        )
        name = self.kind.replace(" ", "_")
        getattr(self, f"_check_{name}")(after)
        self._check_again()
        return "changed as asked"

    def check_final(self, error: str, *, with_store: bool, told_of_enabled: bool) -> str:
        """Check what a failure for good leaves; return what to call it."""
        after = self._check_kept()
        if self.kind == "new code":
            spent = self.sandbox.codes()[-1]["presented"]
            in_doubt = error.startswith("CloudElementsAmbiguousCreateError: ") and "ask for consent" in error
            no = self.refused and "AADSTS70000" in error
            _require(clear_error=in_doubt or no, no_secret_told="never-given-out" not in error)
            outcome = "a refused code told" if no else f"new codes {'lost' if spent else 'given up unsent'}"
        else:
            _require(
                kind_that_may_fail=self.kind == "new secret" and self.refused,
                clear_error=error.startswith("CloudElementsInstanceDisabledError: ")
                and "did not mend it" in error,
                no_secret_told="second-password" not in error,
            )
            outcome = "a refused secret told"
        if self.disabled and not after["disabled"]:
            # Without a store nobody knows what a killed try did; and a failed call is reported.
            _require(not_left_enabled=not with_store or told_of_enabled)
            return f"{outcome}, left enabled"
        _require(disabled_as_before=after["disabled"] is self.disabled)
        return outcome

    def _check_kept(self) -> dict[str, Any]:
        """Check what holds at each end: one instance, the same id and token, marker and origin kept."""
        from airflow_provider_cloudelements.client.tags import own_tags

        ids = [each["id"] for each in self.sandbox.instances()]
        after = self.person.show(self.id)
        marks = [
            [tag for tag in own_tags(each["tags"]) if not tag.startswith("airflow-auth:")]
            for each in (self.before, after)
        ]
        prints = [tag for tag in own_tags(after["tags"]) if tag.startswith("airflow-auth:")]
        _require(
            one_instance=ids == [self.id],
            same_token=after["token"] == self.before["token"],
            marker_kept=marks[0] == marks[1] and len(marks[1]) == (0 if self.by_person else 2),
            one_fingerprint=len(prints) <= 1,
            no_code_twice=all(
                row["presented"] <= 1 + self.unasked and row["exchanged"] <= 1 for row in self.sandbox.codes()
            ),
        )
        return after

    def _check_again(self) -> None:
        """The same once more finds nothing to do."""
        from tests.crash.harness import FileTi

        writes = self._writes()
        returned = self.operator.execute({"ti": FileTi(Path("/nonexistent"), 1)})
        _require(nothing_left_to_write=returned["changed"] == [] and self._writes() == writes)

    def _writes(self) -> int:
        by_call = self.sandbox.counters()["by_call"]
        return sum(count for call, count in by_call.items() if not call.startswith("GET "))

    def _people(self, after: dict[str, Any]) -> list[str]:
        from tests.support.platform import peoples_tags

        return peoples_tags(after)

    def _check_update(self, after: dict[str, Any]) -> None:
        self.sandbox.vendor_secrets("closeio", ["second-password"])
        configuration = after["configuration"]
        _require(
            name=after["name"] == "Renamed",
            tags=self._people(after) == ["z", "added"],
            user=configuration["username"] == "grace",
            callback=configuration[URL] == OTHER,
            events=after["eventsEnabled"] is True,
            password=self.person.show(self.id)["valid"],
        )

    def _check_events_on(self, after: dict[str, Any]) -> None:
        configuration = after["configuration"]
        _require(
            events=after["eventsEnabled"] is True,
            callback=configuration[URL] == CALLBACK,
            key=configuration[SIGNATURE] == "signature-1",
            tags=self._people(after) == self._people(self.before),
        )

    def _check_events_off(self, after: dict[str, Any]) -> None:
        left = {**self.before["configuration"], ENABLED: "false"}
        _require(all_else_stays=after["configuration"] == left, off=after["eventsEnabled"] is False)

    def _check_enable(self, after: dict[str, Any]) -> None:
        _require(enabled=after["disabled"] is False, tags=after["tags"] == self.before["tags"])

    def _check_disable(self, after: dict[str, Any]) -> None:
        _require(disabled=after["disabled"] is True, tags=after["tags"] == self.before["tags"])

    def _check_new_secret(self, after: dict[str, Any]) -> None:
        self.sandbox.vendor_secrets("closeio", ["second-password"])
        _require(
            well=after["valid"] and not after["disabled"],
            password=self.person.show(self.id)["valid"],
            tags=self._people(after) == self._people(self.before),
        )

    def _check_new_code(self, after: dict[str, Any]) -> None:
        _require(
            well=after["valid"] and not after["disabled"],
            code_sent=self.sandbox.codes()[-1]["exchanged"] == 1,
            tags=self._people(after) == self._people(self.before),
        )
