"""Give the sandbox of ``make up`` what a real account holds: each example then has something to do.

People at the console made instances, a vendor's secret is about to change, a vendor has revoked an access,
and the receiver of events was away for a moment.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import requests

#: Seconds for a call, and for deliveries to fail.
PATIENCE = 20.0
#: The secret that hubspot_app had until now. The vendor accepts it beside the new one.
OLD_SECRET = "demo-hubspot-secret/until-now="  # noqa: S105  made up
#: The tag of the instance that example_adopt_instance takes over, and of those that example_nightly_check
#: checks.
ADOPTED, CHECKED = "ada@example.com", "nightly check"
#: How many contacts the instance has whose contacts are downloaded and counted.
CONTACTS = 2_500
#: How many events came while their receiver was away, and how many of them the platform gave up.
QUEUED, LOST = 3, 1


class Seeder:
    """Calls a sandbox as its people and vendors do.

    :param url: where the sandbox listens
    :param connections: the connections of the examples
    """

    def __init__(self, url: str, connections: Mapping[str, Mapping[str, Any]]) -> None:
        account = connections["cloudelements_default"]
        self._url = url
        self._connections = connections
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = (
            f"User {account['password']}, Organization {account['extra']['organization_secret']}"
        )

    def seed(self) -> None:
        """Do everything. Nobody may listen yet where the connections deliver events to."""
        self.adopted()
        self.checked()
        self.rotated()
        self.outage()

    def adopted(self) -> int:
        """Make a calendar's instance as an app does, with a person's tag; return its id."""
        return self._calendar("Ada's calendar", [ADOPTED])

    def checked(self) -> None:
        """Make three instances: one works, one needs its password anew, one needs a new consent."""
        self.used(self._sales("Sales north", [CHECKED]))
        for broken in (self._sales("Sales south", [CHECKED]), self._calendar("Board room", [CHECKED])):
            self._control("POST", f"/instances/{broken}/revoke")

    def rotated(self) -> None:
        """Make three instances with the vendor's old secret, while it accepts the old and the new one."""
        app = self._connections["hubspot_app"]
        for number in range(1, 4):
            configuration = {
                "oauth.api.key": app["login"],
                "oauth.api.secret": OLD_SECRET,
                "oauth.callback.url": app["extra"]["oauth_callback_url"],
                "oauth.user.refresh_token": app["extra"]["oauth_user_refresh_token"],
            }
            self._make("hubspotcrm", f"Portal {number}", configuration, externalAuthentication="initial")
        self._control("PUT", "/vendors/hubspotcrm", {"accepted": [OLD_SECRET, app["password"]]})

    def used(self, instance_id: int) -> None:
        """Give an instance many contacts, a download of them in bulk, and a formula that counts them.

        :param instance_id: The instance.
        """
        self._control("PUT", f"/instances/{instance_id}/records/contacts", {"count": CONTACTS})
        token = self._call("GET", f"/instances/{instance_id}")["token"]
        self._call("POST", "/bulk/query?q=select * from contacts", token=token)
        names = {each["name"]: each["id"] for each in self._call("GET", "/formulas")}
        body = {"name": "How many contacts", "configuration": {"crm": instance_id}}
        made = self._call("POST", f"/formulas/{names['Count contacts']}/instances", body)
        self._call("POST", f"/formulas/instances/{made['id']}/executions", {})

    def outage(self) -> None:
        """Make an instance whose events find no receiver: the platform queues them, and gives one up."""
        extra = self._connections["microsoft_graph_app"]["extra"]
        events = {
            "event.notification.enabled": True,
            "event.notification.callback.url": extra["event_callback_url"],
            "event.notification.signature.key": extra["event_signature_secret"],
        }
        instance_id = self._calendar("Calendar of the night shift", [], events)
        self._call("PATCH", "/accounts/settings", {"notification.webhook.failure.policy": "queue"})
        self._control("POST", "/events", {"instance_id": instance_id, "count": QUEUED + LOST})
        deadline = time.monotonic() + PATIENCE
        while True:
            rows = [each for each in self._control("GET", "/deliveries") if each["status"] == "queued"]
            if len(rows) == QUEUED + LOST:
                break
            if time.monotonic() > deadline:
                raise RuntimeError("The platform has not queued the events whose receiver is away.")
            time.sleep(0.05)
        for row in rows[:LOST]:
            self._call("DELETE", f"/notifications/{row['notificationId']}")
        self._call("PATCH", "/accounts/settings", {"notification.webhook.failure.policy": "retry"})
        # A meeting in every calendar shall find the one that the examples make.
        off = {"configuration": {"event.notification.enabled": False}}
        self._call("PATCH", f"/instances/{instance_id}", off)

    def _calendar(self, name: str, tags: list[str], more: Mapping[str, Any] | None = None) -> int:
        app = self._connections["microsoft_graph_app"]
        configuration = {
            "oauth.api.key": app["login"],
            "oauth.api.secret": app["password"],
            "oauth.callback.url": app["extra"]["oauth_callback_url"],
            "oauth.scope": app["extra"]["oauth_scope"],
            **(more or {}),
        }
        code = self._control("POST", "/codes", {"element": "microsoftgraph"})["code"]
        return self._make("microsoftgraph", name, configuration, tags=tags, providerData={"code": code})

    def _sales(self, name: str, tags: list[str]) -> int:
        return self._make(
            "closeio", name, {"username": "sales", "password": "made-in-the-console"}, tags=tags
        )

    def _make(self, element: str, name: str, configuration: Mapping[str, Any], **more: Any) -> int:
        body = {"element": {"key": element}, "name": name, "configuration": configuration, **more}
        return int(self._call("POST", "/instances", body)["id"])

    def _call(self, verb: str, path: str, body: Any = None, token: str | None = None) -> Any:
        return self._send(verb, f"/elements/api-v2{path}", body, token)

    def _control(self, verb: str, path: str, body: Any = None) -> Any:
        return self._send(verb, f"/sandbox{path}", body)

    def _send(self, verb: str, path: str, body: Any, token: str | None = None) -> Any:
        words = self._session.headers["Authorization"]
        headers = {} if token is None else {"Authorization": f"{words!s}, Element {token}"}
        answer = self._session.request(
            verb, f"{self._url}{path}", json=body, headers=headers, timeout=PATIENCE
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None
