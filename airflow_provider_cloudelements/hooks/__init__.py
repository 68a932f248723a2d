"""Hooks of the Cloud Elements provider."""
