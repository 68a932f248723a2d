"""The socket, and a call's way from it to its handler."""
