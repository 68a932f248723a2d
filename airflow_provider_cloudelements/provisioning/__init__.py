"""One instance as asked: never a second one, and no authorization code spent twice."""

from airflow_provider_cloudelements.provisioning.change import Change, Changed, reauthenticate, update
from airflow_provider_cloudelements.provisioning.ensure import Ensured, ensure
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec

__all__ = ["Change", "Changed", "Ensured", "InstanceSpec", "ensure", "reauthenticate", "update"]
