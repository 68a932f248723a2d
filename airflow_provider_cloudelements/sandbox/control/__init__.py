"""The sandbox's own calls, under /sandbox, and its command line for events."""
