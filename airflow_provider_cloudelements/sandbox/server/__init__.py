"""The socket, and the path of a call from the socket to its handler."""
