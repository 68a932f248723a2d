"""Through an instance: many calls that are one thing."""
