"""The organization, its account and the account's settings."""
