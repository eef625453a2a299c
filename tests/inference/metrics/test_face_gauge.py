"""Lips are judged by the face that is seen longest in what is judged of a video."""

import numpy as np

from inference.metrics.face_gauge import SyncGauge
from inference.metrics.video_pair import Moment
from udfs.nets.syncnet import session
from udfs.nets.syncnet.agreement import Agreement
from udfs.scorer import Clip
from udfs.sync import Sync, SyncConfig


def seen(*times_s: float, left: float = 0.0, side: float = 200.0) -> list[dict]:
    return [{"time_s": time_s, "box": [left, 0.0, left + side, side]} for time_s in times_s]


def gauge_of(seconds: float, scorer: Sync) -> SyncGauge:
    return SyncGauge(scorer, Clip("c", "v", "u", 0.0, seconds, 640, 480, 25.0, True), np.zeros(int(seconds * 16000), np.float32), "generated")


def test_a_small_face_has_a_reason():
    for faces, reason in ((seen(0.0, 1.0, 2.0, side=100.0), "100 px large"), (seen(1.0), "no face that is seen for 2 s")):
        values = gauge_of(3.0, Sync()).values(faces)
        assert set(values) == {"lse_c", "lse_d", "sync_offset"} and all(reason in value.reason for value in values.values())


def test_a_face_that_is_seen_longer_after_what_is_judged_does_not_count(monkeypatch):
    judged = []
    monkeypatch.setattr(session, "judge", lambda network, crops, sound: judged.append(len(crops)) or Agreement(-2, 7.0, 5.0))
    scorer = Sync(SyncConfig(longest_s=4.0))
    scorer._network = object()
    gauge = gauge_of(12.0, scorer)
    for number in range(300):
        gauge.see(Moment(number, number / 25, np.zeros((480, 640, 3), np.uint8), None))
    first, later = np.arange(0.0, 2.4, 0.2).tolist(), np.arange(4.0, 12.0, 0.2).tolist()
    values = gauge.values(seen(*first) + seen(*later, left=400.0))
    assert {name: value.value for name, value in values.items()} == {"lse_c": 5.0, "lse_d": 7.0, "sync_offset": 2.0}
    assert judged == [80], "until a second after its last look"
    small = gauge.values(seen(*first) + seen(*later, left=400.0, side=60.0))
    assert small == values, "nor does its size"
