"""What the benchmarks of training demand of their lake."""

from types import SimpleNamespace

import pytest

from benchmarks import overfit
from benchmarks.train_resume import inside_a_row_group
from tests.small_samples import sample, snapshot_of
from training.stages import read


def shown(*clips: str, epoch: int = 0) -> dict:
    return {rank: {step + 1: [{"samples": [[clip, epoch, 0, 0, 0, False]]}] for step, clip in enumerate(clips[rank::2])} for rank in (0, 1)}


def test_a_kill_falls_inside_a_row_group_of_which_some_clips_were_shown_and_some_not(tmp_path):
    several = snapshot_of(tmp_path, [sample(f"clip-{number}", 20) for number in range(6)])
    assert inside_a_row_group(several, shown("clip-0", "clip-1"))
    assert not inside_a_row_group(several, shown("clip-0", "clip-1", "clip-2"))
    assert not inside_a_row_group(several, {})
    (tmp_path / "single").mkdir()
    single = snapshot_of(tmp_path / "single", [sample(f"clip-{number}", 20) for number in range(6)], rows_per_group=1)
    assert not inside_a_row_group(single, shown("clip-0", "clip-1"))


def test_a_lake_with_one_clip_cannot_be_learnt_by_heart(tmp_path, monkeypatch):
    made = SimpleNamespace(snapshot=snapshot_of(tmp_path, [sample("alone", 50)]))
    monkeypatch.setattr(overfit, "make_snapshot", lambda lake: made)
    with pytest.raises(SystemExit, match="^two clips are learnt by heart, and .* has samples of one: prepare more$"):
        overfit._two_samples(str(tmp_path), read(3, None, {"frames": "2"}, smoke=True))
