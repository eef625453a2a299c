"""How workers tell the driver what they are at: one UDP datagram per started or finished item.

Best effort by design: a lost datagram costs a moment of the progress line, never a result.
"""

import json
import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Reporter:
    """Sends progress to the driver's listener. Picklable; without an address it says nothing."""

    address: tuple[str, int] | None = None

    def started(self, label: str) -> None:
        """An item is being worked on."""
        self._send({"event": "started", "label": label})

    def finished(self, label: str) -> None:
        """An item is done."""
        self._send({"event": "finished", "label": label})

    def _send(self, message: dict[str, str]) -> None:
        if self.address is None:
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            try:
                channel.sendto(json.dumps(message).encode()[:1024], self.address)
            except OSError:
                return
