"""Make an instance match its specification, never create it twice, and spend no authorization code twice."""

from airflow_provider_cloudelements.provisioning.change import Change, Changed, reauthenticate, update
from airflow_provider_cloudelements.provisioning.ensure import Ensured, ensure
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec

__all__ = ["Change", "Changed", "Ensured", "InstanceSpec", "ensure", "reauthenticate", "update"]
