"""The one object that holds everything a running sandbox knows."""

from __future__ import annotations

from airflow_provider_cloudelements.sandbox.account.calls import POLICY, RETRY
from airflow_provider_cloudelements.sandbox.core.agenda import Agenda
from airflow_provider_cloudelements.sandbox.core.faults import Faults
from airflow_provider_cloudelements.sandbox.core.journal import Journal
from airflow_provider_cloudelements.sandbox.events.poller import Poller
from airflow_provider_cloudelements.sandbox.events.store import EventLog
from airflow_provider_cloudelements.sandbox.instances.sessions import Sessions
from airflow_provider_cloudelements.sandbox.instances.store import Store
from airflow_provider_cloudelements.sandbox.instances.traces import Traces
from airflow_provider_cloudelements.sandbox.notifications.courier import Courier
from airflow_provider_cloudelements.sandbox.notifications.store import Notifications
from airflow_provider_cloudelements.sandbox.settings import Behaviour, Settings
from airflow_provider_cloudelements.sandbox.vendors.store import Vendor


class State:
    """Settings and memory of one sandbox.

    :param settings: what was fixed at the start.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.behaviour: Behaviour = settings.behaviour
        #: Where the server listens; set when it does.
        self.origin = ""
        self.store = Store()
        self.vendor = Vendor()
        self.sessions = Sessions(self)
        self.traces = Traces()
        self.faults = Faults()
        self.journal = Journal()
        self.agenda = Agenda()
        self.events = EventLog(self)
        self.notifications = Notifications(self)
        self.courier = Courier(self)
        self.poller = Poller(self)
        #: The account's settings; retry is the default (dossier 6.4).
        self.account_settings: dict[str, object] = {POLICY: RETRY}
        #: Rises with each reset: a call that began before one has no effect after it.
        self.epoch = 0

    def reset(self) -> None:
        """Forget everything but the settings of the start."""
        self.behaviour = self.settings.behaviour
        self.courier.clear()
        self.agenda.clear()
        self.events.clear()
        self.notifications.clear()
        self.account_settings = {POLICY: RETRY}
        self.store.clear()
        self.vendor.clear()
        self.sessions.clear()
        self.traces.clear()
        self.faults.clear()
        # A new one, so that calls still running end in the old one.
        self.journal = Journal()
        self.epoch += 1
