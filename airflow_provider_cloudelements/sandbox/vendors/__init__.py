"""The vendors behind the elements: consent, credentials, and the bodies that vendors send."""
