"""Operators of the Cloud Elements provider."""
