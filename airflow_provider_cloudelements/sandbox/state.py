"""The one object that holds everything a running sandbox knows, and connects the areas.

Here the state hands each area what it needs of the others. The stores of an area do not know the state. The
modules that answer HTTP (``calls.py`` and ``..._calls.py``) know it, and get it with each :data:`Call`.
"""

from __future__ import annotations

from airflow_provider_cloudelements.sandbox.account.store import POLICY, RETRY
from airflow_provider_cloudelements.sandbox.bulk.store import Jobs
from airflow_provider_cloudelements.sandbox.core import web
from airflow_provider_cloudelements.sandbox.core.agenda import Agenda
from airflow_provider_cloudelements.sandbox.core.faults import Faults
from airflow_provider_cloudelements.sandbox.core.journal import Journal
from airflow_provider_cloudelements.sandbox.elements.catalogue import OBJECT_NAMES, find
from airflow_provider_cloudelements.sandbox.events.intake import Intake
from airflow_provider_cloudelements.sandbox.events.models import Delivery, Event
from airflow_provider_cloudelements.sandbox.events.poller import Poller
from airflow_provider_cloudelements.sandbox.events.store import EventLog
from airflow_provider_cloudelements.sandbox.formulas.store import Formulas
from airflow_provider_cloudelements.sandbox.instances.provisioning import Provisioning
from airflow_provider_cloudelements.sandbox.instances.sessions import Sessions
from airflow_provider_cloudelements.sandbox.instances.store import Instance, Store
from airflow_provider_cloudelements.sandbox.instances.traces import Traces
from airflow_provider_cloudelements.sandbox.notifications.courier import Courier
from airflow_provider_cloudelements.sandbox.notifications.store import Notifications
from airflow_provider_cloudelements.sandbox.settings import Behaviour, Settings
from airflow_provider_cloudelements.sandbox.vendors.store import Vendor


class State:
    """Settings and memory of one sandbox.

    :param settings: the settings fixed at the start.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.behaviour: Behaviour = settings.behaviour
        #: The origin at which the server listens; empty until it listens.
        self.origin = ""
        #: The account's settings; retry is the default (fact F255).
        self.account_settings: dict[str, object] = {POLICY: RETRY}
        #: Rises with each reset: a call that began before a reset has no effect after it.
        self.epoch = 0
        self.faults = Faults()
        self.journal = _journal()
        self.agenda = Agenda()
        self.traces = Traces()
        self.store = Store()
        self.vendor = Vendor()
        self.sessions = Sessions(self.vendor, self._behaviour)
        self.events = EventLog(self._behaviour, self.agenda, self._forgotten)
        self.notifications = Notifications(
            self._behaviour, self.agenda, self._policy, self.events.recipient, self._send
        )
        self.courier = Courier(self._behaviour, self.notifications, self.store)
        self.provisioning = Provisioning(
            self._behaviour, self.vendor, self.store, self.sessions, self.notifications.follow
        )
        self.intake = Intake(self._behaviour, self.agenda, self.events, self.notifications.tell)
        self.jobs = Jobs(self._behaviour, self.agenda)
        self.formulas = Formulas(self._behaviour, self.agenda, self.store)
        self.poller = Poller(self._behaviour, self.agenda, self.store, self.sessions, self.intake)

    def reset(self) -> None:
        """Forget everything but the settings of the start."""
        self.behaviour = self.settings.behaviour
        self.courier.clear()
        self.agenda.clear()
        self.events.clear()
        self.jobs.clear()
        self.formulas.clear()
        self.notifications.clear()
        self.account_settings = {POLICY: RETRY}
        self.store.clear()
        self.vendor.clear()
        self.sessions.clear()
        self.traces.clear()
        self.faults.clear()
        # A new journal, so that calls that still run end in the old one.
        self.journal = _journal()
        self.epoch += 1

    # Areas get these methods because the values change while the sandbox runs, or exist only later.

    def _behaviour(self) -> Behaviour:
        return self.behaviour

    def _policy(self) -> object:
        return self.account_settings[POLICY]

    def _forgotten(self, event: Event) -> None:
        self.notifications.forget_event(event)

    def _send(self, delivery: Delivery) -> None:
        self.courier.send(delivery)


def _journal() -> Journal:
    """Return a new log of calls that may show the names of elements and resources."""
    return Journal(lambda part: part in OBJECT_NAMES or find(part) is not None)


#: One request to the API or to the control calls, as handlers get it.
Call = web.Call[State, Instance]
