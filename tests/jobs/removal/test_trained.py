"""`talkvid remove` and trainings on the video: their checkpoints are listed, their notes forget it."""

import json

from jobs.removal import trained
from jobs.removal.target import Target
from tests.jobs.removal.lake_of_two import CLIPS, GONE, STAYS, take_out


def test_checkpoints_trained_on_it_are_listed_and_media_elsewhere_is_left(here, lake, tmp_path, footage):
    for stage, clips in (("stage_1", CLIPS[GONE]), ("stage_2", CLIPS[STAYS])):
        (tmp_path / "trained" / stage).mkdir(parents=True)
        (tmp_path / "trained" / stage / "snapshot.json").write_text(json.dumps({"clips": clips}))
    lake.ledger.append("runs", [{"run_id": "train-1", "verb": "train", "output_uris": [str(tmp_path / "trained")], "complete": True}])
    summary = take_out(lake, GONE)
    assert summary.extra["checkpoints"] == [str(tmp_path / "trained" / "stage_1")]
    assert take_out(lake, STAYS).notes == [f"remove: {footage[STAYS]} lies outside the lake and was not deleted"]
    assert footage[STAYS].exists()


def test_runs_put_aside_are_listed_and_no_note_of_a_training_names_it(here, lake, tmp_path, footage):
    stages = [here / "lake" / "train" / "stage_2", *(tmp_path / "trained" / name for name in ("stage_1", "stage_1.before-20260102T030405", "stage_1-mine"))]
    line = json.dumps({"step": 1, "loss": 0.5, "samples": [CLIPS[GONE][0], CLIPS[STAYS][0]]})
    for stage in stages:
        (stage / "seen").mkdir(parents=True)
        (stage / "seen" / "rank-00000.jsonl").write_text(f"{line}\n")
        (stage / "snapshot.json").write_text(json.dumps({"clips": CLIPS[GONE]}))
    lake.ledger.append("runs", [{"run_id": "train-1", "verb": "train", "output_uris": [str(stages[1])], "complete": True}])
    with open(stages[0] / "seen" / "rank-00000.jsonl", "a") as going_on:
        summary = take_out(lake, GONE)
        going_on.write(f"{line.replace(CLIPS[GONE][0], CLIPS[STAYS][1])}\n")
    assert (stages[0] / "seen" / "rank-00000.jsonl").read_text().count(CLIPS[STAYS][1]) == 1
    assert summary.extra["checkpoints"] == sorted(str(stage) for stage in stages[:3]) and summary.counts["remaining"] == 0
    assert "seen=3" in summary.results.splitlines()
    for stage in stages[:3]:
        first, *_ = (stage / "seen" / "rank-00000.jsonl").read_text().splitlines()
        assert json.loads(first)["samples"] == ["(removed)", CLIPS[STAYS][0]]
    assert (stages[3] / "seen" / "rank-00000.jsonl").read_text() == f"{line}\n"


def test_what_a_training_notes_while_its_notes_are_rewritten_stays(tmp_path, monkeypatch):
    note, line = tmp_path / "rank-00000.jsonl", f"{json.dumps({'samples': [CLIPS[GONE][0]]})}\n"
    note.write_text(line)
    target, whole = Target(videos=({"video_id": GONE, "sha256": None},)), Target.without

    def slow(self, text):
        with open(note, "a") as going_on:
            going_on.write("another line\n")
        return whole(self, text)

    monkeypatch.setattr(Target, "without", slow)
    trained.forget([str(note)], target)
    assert note.read_text() == '{"samples": ["(removed)"]}\nanother line\n'
