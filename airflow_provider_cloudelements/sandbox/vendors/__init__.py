"""The vendors behind the elements: consent, credentials, and what they send."""
