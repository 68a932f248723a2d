"""Airflow provider for Cloud Elements, today also sold as SAP Open Connectors."""

__version__ = "0.1.0"
