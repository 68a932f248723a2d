"""Links of the Cloud Elements provider."""
