"""Triggers of the Cloud Elements provider. They wait in the triggerer, all through one poll hub."""
