"""Element instances: made, changed, and used for calls to their vendors."""
