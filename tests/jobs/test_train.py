"""`talkvid train`: from samples in a lake to a model, once; what is noted, and what is refused before anything runs."""

import json
from pathlib import Path

import pytest

from jobs.cli import run_verb
from jobs.train import JOB
from schemas.lake import Lake
from schemas.lease import lease
from tests.training_lake import make
from training import checkpoint_store, exported
from training.checkpoints import Manifest
from training.metrics_log import seen

CLIPS = [f"talk-{1000 * second:09d}-{1000 * second + 2000:09d}" for second in range(0, 6, 2)]
WORDS = ["--smoke", "--set", "steps=2", "--set", "workers=0", "--set", "engine=plain", "--set", "validate_every=0", "--device", "cpu", "--quiet"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    """Three samples of three speakers, and what is trained on them."""
    return make(str(tmp_path_factory.mktemp("train") / "lake"), len(CLIPS))


def train(lake: Lake, *words: str) -> int:
    return run_verb(JOB, ["--lake", lake.place.root, *words])


def test_a_stage_is_trained_once_and_noted(lake, capsys):
    secret = "canary-7b1d55e0"
    assert train(lake, "--stage", "3", *WORDS, "--set", "start=random", "--json", "--conf", f"spark.authenticate.secret={secret}") == 0
    assert secret not in str(lake.ledger.read("runs").to_pylist())
    told = json.loads(capsys.readouterr().out)
    assert (told["in"], told["steps"]) == (3, 2)
    found = exported.find(told["outputs"][0])
    assert (found.step, found.stage, found.random) == (2, 3, True)
    assert found.fingerprint == told["fingerprint"]
    begun, ended = sorted((row for row in lake.ledger.read("runs").to_pylist() if row["verb"] == "train"), key=lambda row: row["finished"] is not None)
    assert begun["run_id"] == ended["run_id"]
    assert begun["finished"] is None
    assert ended["finished"] is not None
    assert dict(begun["input_versions"])["samples"] == lake.place.version("samples")
    assert train(lake, "--stage", "3", *WORDS, "--set", "start=random") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("random weights")
    assert lines[-1].startswith("train: in=0 steps=0 seconds=")


def test_a_speakers_own_model_goes_on_from_the_stage_on_that_speakers_clips_only(lake, capsys):
    finetune = ["--stage", "3", "--config", "speaker_finetune.yaml", *WORDS, "--set", "batch_per_rank=1", "--json"]
    assert train(lake, *finetune, "--set", f"speakers=[speaker of {CLIPS[1]}]") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["in"], told["steps"]) == (1, 2)
    folder = Path(told["outputs"][0])
    found, before = exported.find(folder), exported.find(lake.place.at("train", "stage_3"))
    assert (folder.name, found.stage, found.random) == ("speaker_finetune", 3, True)
    assert found.fingerprint != before.fingerprint
    assert {key[0] for records in seen(folder)[0].values() for record in records for key in record["samples"]} == {CLIPS[1]}
    assert train(lake, *finetune, "--resume", "never", "--set", "speakers=[nobody]") == 3
    assert "none of the 3 samples is left" in capsys.readouterr().err


def test_a_run_from_an_earlier_step_exports_what_it_made_and_keeps_what_was_there(lake, capsys, tmp_path):
    """Steps are told apart by their number alone: two runs' steps in one folder would be taken for one's."""
    words = ["--stage", "3", *WORDS, "--set", "start=random", "--set", "checkpoint_every=1", "--set", "keep_checkpoints=2", "--output", str(tmp_path), "--json"]
    stage = tmp_path / "stage_3"
    assert train(lake, *words, "--set", "steps=4") == 0
    old = json.loads(capsys.readouterr().out)["fingerprint"]
    other = [*words, "--set", "steps=4", "--set", "learning_rate=0.01"]
    assert train(lake, *other, "--resume", str(stage / "step-00000003")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["first_step"], told["steps"]) == (3, 1)
    assert told["fingerprint"] == exported.find(stage).fingerprint != old
    (aside,) = tmp_path.glob("stage_3.before-*")
    assert exported.find(aside).fingerprint == old
    assert checkpoint_store.newest(str(aside)).manifest.step == 4
    assert train(lake, *words, "--set", "steps=5", "--resume", str(aside / "step-00000004")) == 0, "what lies aside can be gone on from"
    assert json.loads(capsys.readouterr().out)["first_step"] == 4
    assert [path.name for path in stage.glob("step-*")] == ["step-00000005"]
    assert len(list(tmp_path.glob("stage_3.before-*/step-00000004"))) == 2


def test_nothing_is_put_aside_or_written_over_where_the_run_cannot_begin(lake, capsys, tmp_path):
    words = ["--stage", "3", *WORDS, "--output", str(tmp_path), "--resume", "never", "--set"]
    stage = tmp_path / "stage_3"
    shard, manifest = "shard-00000-of-00001.pt", Manifest(2, 3, "smoke", "fp32", 1, 2, True, 0, {"shard-00000-of-00001.pt": 4})
    model = json.dumps({"model": "smoke", "stage": 3, "step": 2, "random": True, "fingerprint": "random:x", "bytes": {}})
    there = {
        "config.yaml": "a",
        "snapshot.json": "b",
        f"step-00000002/{shard}": "1234",
        "step-00000002/manifest.json": manifest.text(),
        "model/model.json": model,
    }
    for name, text in there.items():
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).write_text(text)
    with lease(lake.place, "score"):
        assert train(lake, *words, "start=random") == 5
    assert "score (pid" in capsys.readouterr().err
    for start in ("stage_3", str(stage), str(stage / "model")):
        assert train(lake, *words, f"start={start}") == 2
        assert "--resume never puts aside: keep it, and train into another with --set folder=NAME" in capsys.readouterr().err
    assert {str(file.relative_to(tmp_path)): file.read_text() for file in tmp_path.rglob("*") if file.is_file()} == {
        f"stage_3/{k}": v for k, v in there.items()
    }


def test_the_version_of_a_run_that_was_begun_cannot_be_changed(lake, capsys, tmp_path):
    words = ["--stage", "3", *WORDS, "--set", "start=random", "--output", str(tmp_path), "--set", "steps=1"]
    version = lake.place.version("samples")
    assert train(lake, *words) == 0
    longer = [*words, "--set", "steps=2", "--snapshot"]
    capsys.readouterr()
    assert train(lake, *longer, str(version - 1)) == 2
    assert f"begun with version {version} of the samples" in capsys.readouterr().err
    assert train(lake, *longer, str(version)) == 0
    with pytest.raises(SystemExit) as refused:
        train(lake, *longer, "-1")
    assert refused.value.code == 2


def test_what_cannot_start_is_told_in_one_sentence_before_anything_runs(lake, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setattr("udfs.device.visible_gpus", lambda: 0)
    cases = {
        ("--stage", "1"): (3, "sd-image-variations-unet"),
        ("--stage", "3", "--set", "start=random"): (3, "sd-vae-ft-mse"),
        ("--stage", "3", *WORDS, "--set", "start=random", "--set", "optimizer=adamw8bit"): (3, "bitsandbytes is not installed; take optimizer=adamw"),
        ("--stage", "2", *WORDS): (3, "run talkvid train --stage 1"),
        ("--stage", "3", "--set", "frames=many"): (2, "frames is a whole number"),
        ("--stage", "3", "--config", "none.yaml"): (3, "no configuration none.yaml"),
        ("--stage", "3", *WORDS, "--resume", "nowhere"): (3, "no whole checkpoint"),
        ("--stage", "3", *WORDS, "--resume", "nowhere", "--max-restarts", "1"): (2, "--max-restarts goes with"),
        ("--stage", "3", *WORDS, "--input", str(tmp_path), "--snapshot", "1"): (2, "exclude each other"),
        ("--stage", "3", *WORDS[:-3], "--device", "cuda", "--set", "start=random"): (3, "--device cuda: no GPU is visible here"),
        ("--stage", "3", "--set", "start=random", "--snapshot", "999"): (3, "there is no version 999 of samples"),
        ("--stage", "3", *WORDS, "--set", "start=random", "--snapshot", "999"): (3, "there is no version 999 of samples"),
        ("--stage", "3", *WORDS, "--set", "start=random", "--set", "languages=[Welsh]"): (3, "none of the 3 samples"),
    }
    labelled = ("--stage", "3", *WORDS, "--set", "start=random", "--set")
    cases |= {
        (*labelled, "labels={gender: [female]}"): (3, "none of the 3 samples"),
        (*labelled, "labels={shoe_size: [43]}"): (2, "samples cannot be chosen by shoe_size"),
    }
    before = lake.place.version("runs")
    assert train(lake, "--stage", "3", *WORDS, "--set", "start=random", "--output", "/dev/null/x") == 2
    assert "because of /dev/null: Not a directory" in capsys.readouterr().err
    for words, (status, sentence) in cases.items():
        assert train(lake, *words, "--output", str(tmp_path / "model")) == status
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1
        assert sentence in said[0]
    assert lake.place.version("runs") == before and not (tmp_path / "model").exists()


def test_footage_goes_through_the_whole_line_where_and_as_far_as_was_said(lake, capsys, monkeypatch, tmp_path):
    ran = []
    monkeypatch.setattr("jobs.train.run_line", lambda lake, line, sessions: ran.extend(line))
    footage = ["--output", str(tmp_path / "model"), "--input", str(tmp_path), "--limit", "2", "--policy", "talkvid"]
    assert train(lake, "--stage", "3", *WORDS, *footage, "--set", "start=random", "--set", "languages=[Welsh]") == 3
    assert "none of the 3 samples" in capsys.readouterr().err
    assert [job.verb for job, _ in ran] == ["ingest", "segment", "score", "filter", "prepare"]
    done = {job.verb: config for job, config in ran}
    assert (done["ingest"].limit, done["segment"].limit, done["filter"].policy.name, done["prepare"].smoke) == (2, None, "talkvid", True)
    assert [done[verb].device for verb in ("segment", "score", "prepare")] == ["cpu"] * 3
    assert train(lake, "--stage", "3", *WORDS, "--limit", "2") == 2
    assert "--set steps=N" in capsys.readouterr().err
