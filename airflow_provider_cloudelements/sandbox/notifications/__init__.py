"""Notifications of events and their deliveries."""
