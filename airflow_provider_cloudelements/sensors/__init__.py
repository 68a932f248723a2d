"""Sensors of the Cloud Elements provider."""
