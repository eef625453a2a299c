"""A signal is noted; only a second request ends at once."""

import signal
import time

import pytest

from schemas.errors import Interrupted
from training.stop_request import ECHO_S, StopRequest


def test_an_echo_of_the_first_request_is_no_second_one(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    request = StopRequest()
    request.note(signal.SIGTERM)
    now += ECHO_S
    request.note(signal.SIGINT)
    assert request.signal == signal.SIGTERM
    now += 0.1
    with pytest.raises(Interrupted) as ended:
        request.note(signal.SIGINT)
    assert ended.value.exit_status == 130
