"""Events: taken from vendors or found by polling, kept and listed."""
