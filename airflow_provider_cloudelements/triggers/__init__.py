"""Triggers of the Cloud Elements provider: what waits in the triggerer, all through one poll hub."""
