"""Settings of the stages."""

from dataclasses import replace
from importlib.resources import files

import pytest

from schemas.errors import MissingError, UsageError
from training.stages import STAGES, changed, continued, read, stored

TALKVID = {
    1: {"frames": 1, "batch_per_rank": 8, "lip_weight": 1, "reference_drop": 0, "kps_drop": 0, "steps": 40001, "seed": 12580, "checkpointing": False},
    2: {"frames": 20, "batch_per_rank": 1, "lip_weight": 100, "reference_drop": 0.2, "kps_drop": 0.5, "steps": 75001, "seed": 42, "checkpointing": True},
    3: {"frames": 8, "batch_per_rank": 1, "lip_weight": 100, "reference_drop": 0.2, "kps_drop": 0.5, "steps": 100001, "seed": 42, "checkpointing": False},
}
COMMON = {"learning_rate": 1e-6, "weight_decay": 0.01, "clip_norm": 1.0, "unconditional": 0.1, "noise_offset": 0.05, "snr_gamma": 5.0, "flip": 0.5, "ema": 0.0}


@pytest.mark.parametrize("stage", STAGES)
def test_published_settings(stage):
    settings = read(stage)
    assert {name: getattr(settings, name) for name in TALKVID[stage]} == TALKVID[stage]
    assert {name: getattr(settings, name) for name in COMMON} == COMMON
    assert settings.silenced == (stage < 3)
    assert settings.motion == (stage > 1)
    assert settings.start == {1: "initial", 2: "stage_1", 3: "stage_2"}[stage]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"frmes": "3"}, "no setting 'frmes'"),
        ({"frames": "many"}, "frames is a whole number"),
        ({"frames": "33"}, "at most 32 frames"),
        ({"kps_drop": "1.5"}, "share from 0 to 1"),
        ({"learning_rate": "nan"}, "learning_rate is a number"),
        ({"learning_rate": "0"}, "more than 0"),
        ({"snr_gamma": "-5"}, "snr_gamma must be more than 0"),
        ({"beta1": "1"}, "beta1 must be from 0 to less than 1"),
        ({"beta2": "1.0"}, "beta2 must be from 0 to less than 1"),
        ({"ema": "1"}, "ema must be from 0 to less than 1"),
        ({"image_px": "500"}, "multiple of 64"),
        ({"batch_per_rank": "3", "accumulation": "2"}, "does not divide"),
        ({"precision": "fp8"}, "one of bf16, fp16, fp32"),
        ({"folder": "../x"}, "plain name"),
        ({"checkpointing": "perhaps"}, "true or false"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(overrides, sentence):
    with pytest.raises(UsageError, match=sentence):
        read(2, None, overrides)


def test_a_file_of_ones_own_says_only_what_differs_and_comes_back_as_written(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("learning_rate: 1e-5\nlanguages: [English, Mandarin]\n")
    settings = read(3, str(file), {"steps": "7"})
    assert (settings.learning_rate, settings.languages, settings.steps, settings.frames) == (1e-5, ("English", "Mandarin"), 7, 8)
    (tmp_path / "config.yaml").write_text(settings.text())
    assert stored(tmp_path / "config.yaml") == settings
    assert read(3, "speaker_finetune.yaml", {"speakers": "ana"}).folder == "speaker_finetune"
    with pytest.raises(UsageError, match=r"none is said: --set speakers=\[NAME\]"):
        read(3, "speaker_finetune.yaml")
    with pytest.raises(UsageError, match="is for stage 3, not for --stage 2"):
        read(2, "speaker_finetune.yaml")
    with pytest.raises(MissingError, match="no configuration"):
        read(2, str(tmp_path / "other.yaml"))
    with pytest.raises(MissingError, match="no configuration"):
        read(2, "__init__.py")
    for wrong in ("frames: many", "frames:"):
        file.write_text(wrong)
        with pytest.raises(UsageError, match="frames is a whole number, not (None|'many')"):
            read(3, str(file), smoke=True)
    file.write_text("- a list")
    with pytest.raises(UsageError, match="holds no settings"):
        read(3, str(file))


def test_the_fine_tuning_of_speakers_needs_some_under_any_name_and_a_file_of_ones_own_under_that_name_does_not(tmp_path):
    shipped = files("training.configs").joinpath("speaker_finetune.yaml").read_text()
    (tmp_path / "renamed.yaml").write_text(shipped)
    with pytest.raises(UsageError, match=r"renamed.yaml learns the speakers of your choice, and none is said: --set speakers=\[NAME\]"):
        read(3, str(tmp_path / "renamed.yaml"))
    own = tmp_path / "speaker_finetune.yaml"
    own.write_text("labels: {gender: [female]}\nlanguages: [no]\n")
    assert read(3, str(own)).filters == {"language": ("no",), "gender": ("female",)}
    begun = read(3, "speaker_finetune.yaml", {"speakers": "ana"})
    assert continued(replace(begun, needs_speakers=False), begun) == begun, "a run that was begun before files said so"


def test_a_resumed_run_may_change_its_pace_but_not_its_samples():
    begun = read(2)
    assert continued(begun, changed(begun, {"steps": "9", "learning_rate": "1e-5"})).steps == 9
    with pytest.raises(UsageError, match="begun with seed=42, not 7"):
        continued(begun, changed(begun, {"seed": "7"}))
