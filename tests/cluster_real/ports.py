"""Ports of this machine that nobody uses."""

import socket


def free_ports(count: int) -> list[int]:
    """So many different ones, on loopback."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports
