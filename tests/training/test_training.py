"""The loop on batches made of their number: what it repeats, keeps, refuses; each training bug of the scripts replaced stays away (talkvid.md §11.7)."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from schemas.errors import Interrupted, MissingError, UsageError, VerificationError
from tests.training.toy_source import ToySource, toy_batch, write_config
from training import checkpoints, export_model, exported
from training.core_step import draws_of, inputs_of, loss_of
from training.engine import PlainEngine
from training.export_model import model_of
from training.metrics_log import seen
from training.model import official
from training.model.parameter_groups import freeze_all_but
from training.model.vexpress import VExpress
from training.processes import Processes
from training.stages import read
from training.train import Job, train
from training.trainer import Trainer

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def losses(folder: Path) -> dict[int, float]:
    """By step, as last done."""
    return {step: records[-1]["train/loss"] for step, records in seen(folder)[0].items()}


def trained(folder: Path, stage: int = 3, source=None, resume: str = "auto", **changes) -> dict[int, float]:
    write_config(folder, stage, **changes)
    train(Job(folder, resume=resume, device="cpu", quiet=True), source or ToySource())
    return losses(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undisturbed run of stage 3 with an average of weights."""
    folder = tmp_path_factory.mktemp("whole") / "stage_3"
    return folder, trained(folder, ema=0.5, keep_checkpoints=2)


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    """The same run with an odd number of held out samples, looked at by one rank."""
    folder = tmp_path_factory.mktemp("validated") / "stage_3"
    return folder, trained(folder, ema=0.5, validate_every=2, validation_samples=3)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return model_of(checkpoints.newest(folder), averaged=False).state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return sum((one[name].double() - other[name].double()).square().sum().item() for name in one) ** 0.5


def test_a_resumed_run_goes_on_as_if_undisturbed(whole, tmp_path):
    folder = tmp_path / "stage_3"
    trained(folder, ema=0.5, steps=4)
    source = ToySource()
    assert trained(folder, ema=0.5, source=source, keep_checkpoints=2) == whole[1]
    assert source.asked[0] == 4
    assert same(weights(folder), weights(whole[0]))
    assert exported.find(folder).fingerprint == exported.find(whole[0]).fingerprint
    assert trained(folder, source=source) == whole[1], "a finished run trains no more"
    assert source.asked[-1] == 5


def test_the_newest_steps_are_kept_and_a_half_written_one_is_never_taken(whole, tmp_path):
    assert sorted(place.name for place in whole[0].glob("step-*")) == ["step-00000004", "step-00000006"]
    folder = tmp_path / "stage_3"
    trained(folder, steps=4)
    torn, unnamed = folder / "step-00000008", folder / "step-00000009"
    torn.mkdir()
    manifest = json.loads((folder / "step-00000004" / "manifest.json").read_text())
    (torn / "manifest.json").write_text(json.dumps(manifest))
    (torn / "shard-00000-of-00001.pt").write_bytes(b"half")
    unnamed.mkdir()
    (unnamed / "shard-00000-of-00001.pt").write_bytes((folder / "step-00000004" / "shard-00000-of-00001.pt").read_bytes())
    assert checkpoints.newest(folder).manifest.step == 4
    with pytest.raises(MissingError, match="no whole checkpoint"):
        checkpoints.at(torn)


def test_steps_of_another_run_are_neither_mixed_with_nor_removed_for_those_of_this_one(tmp_path):
    folder = tmp_path / "stage_3"
    trained(folder, steps=4)
    for resume in ("never", str(folder / "step-00000002")):
        with pytest.raises(UsageError, match="step-00000004 is of another run, or later"):
            trained(folder, steps=4, resume=resume)
    for torn in ("step-00000005", "step-00000009"):
        (folder / torn).mkdir()
    by_another_way = folder.parent / "linked"
    by_another_way.symlink_to(folder)
    trained(folder, steps=6, resume=str(by_another_way / "step-00000004"), keep_checkpoints=2)
    kept = sorted(place.name for place in folder.glob("step-*"))
    assert kept == ["step-00000004", "step-00000006"], "what is torn is not kept in the place of a whole step"
    assert exported.find(folder).step == 6


def test_checkpoints_hold_nothing_but_tensors_and_words(whole):
    for file in whole[0].rglob("*.pt"):
        torch.load(file, weights_only=True)


def test_validation_leaves_training_as_it_was(whole, validated, tmp_path):
    """The scripts' validation put other attention hooks on rank 0 and never took them off."""
    assert validated[1] == whole[1]
    assert same(weights(validated[0]), weights(whole[0]))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    trained(tmp_path / "stage_3", steps=2, validate_every=1)
    assert torch.equal(torch.get_rng_state(), before)
    measured = told_to_tensorboard(validated[0], "validation/loss")
    assert sorted(measured) == [2, 4, 6] and all(math.isfinite(loss) and loss > 0 for loss in measured.values())


def test_a_model_is_exported_at_the_first_checkpoint_after_each_time_it_is_due(tmp_path, monkeypatch):
    real, exports = export_model.export, []
    monkeypatch.setattr(export_model, "export", lambda folder, settings, step: exports.append(step.manifest.step) or real(folder, settings, step))
    trained(tmp_path / "stage_3", checkpoint_every=2, export_every=3)
    assert exports == [4, 6]
    settings = read(3, None, {"checkpoint_every": "1500", "export_every": "10000"})
    assert [step for step in range(1500, 40000, 1500) if settings.exports_at(step)] == [10500, 21000, 30000]
    assert not any(read(3, None, {"export_every": "0"}).exports_at(step) for step in range(1000, 30000, 1000))


def told_to_tensorboard(folder: Path, name: str) -> dict[int, float]:
    """A scalar by step."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {event.step: event.value for event in events.Scalars(name)}


def test_every_step_is_told_to_tensorboard(whole):
    told = told_to_tensorboard(whole[0], "train/loss")
    assert told == pytest.approx(whole[1])
    assert sorted(told) == [1, 2, 3, 4, 5, 6]


def test_parts_of_a_step_see_their_own_portraits(whole, tmp_path):
    """The scripts' attention kept the first part's portrait for the whole step."""
    assert trained(tmp_path / "stage_3", ema=0.5, accumulation=2) == pytest.approx(whole[1], rel=1e-4)


def test_a_loss_that_is_no_number_stops_and_names_the_clips(tmp_path):
    folder = tmp_path / "stage_3"
    with pytest.raises(VerificationError, match="step 4 .*clip2, clip3"):
        trained(folder, source=ToySource(bad_step=3))
    assert checkpoints.newest(folder).manifest.step == 2


def test_a_gradient_that_is_no_number_stops_before_it_is_saved_and_names_the_clips(tmp_path, monkeypatch):
    """Its loss is still one: only the next step's would show it, after a checkpoint of what it did, and blame other clips."""
    real, calls = PlainEngine.backward, []

    def backward(engine, loss):
        real(engine, loss)
        calls.append(loss)
        if len(calls) == 4:
            engine.masters[0].grad.fill_(float("inf"))

    monkeypatch.setattr(PlainEngine, "backward", backward)
    folder = tmp_path / "stage_3"
    with pytest.raises(VerificationError, match="gradient of step 4 .*clip2, clip3"):
        trained(folder)
    assert checkpoints.newest(folder).manifest.step == 2


def test_a_signal_saves_the_step_and_ends(tmp_path, whole):
    folder = tmp_path / "stage_3"
    with pytest.raises(Interrupted) as ended:
        trained(folder, ema=0.5, source=ToySource(after=lambda step: step == 2 and os.kill(os.getpid(), signal.SIGTERM)))
    assert ended.value.exit_status == 143
    stopped = checkpoints.newest(folder).manifest.step
    assert stopped in (3, 4)
    assert not (folder / "model").exists()
    assert trained(folder, ema=0.5) == whole[1]


KILLED = """
import os, signal, sys
from tests.training.toy_source import ToySource
from training.train import Job, train
source = ToySource(after=lambda step: step == 3 and os.kill(os.getpid(), signal.SIGKILL))
train(Job(sys.argv[1], device="cpu", quiet=True), source)
"""
"""A rank that is killed while it does step 4: step 3 is noted, step 2 is saved."""


def test_a_killed_run_does_again_what_it_had_not_saved(whole, tmp_path):
    folder = tmp_path / "stage_3"
    write_config(folder, 3, ema=0.5)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder)], env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-3000:]
    assert checkpoints.newest(folder).manifest.step == 2 and sorted(losses(folder)) == [1, 2, 3]
    source = ToySource()
    assert trained(folder, ema=0.5, source=source, keep_checkpoints=2) == whole[1]
    assert source.asked[0] == 2 and len(seen(folder)[0][3]) == 2
    assert same(weights(folder), weights(whole[0]))
    assert told_to_tensorboard(folder, "train/loss") == pytest.approx(whole[1]), "step 3 counts once"


def test_each_stage_starts_from_the_one_before_by_name(tmp_path):
    """The scripts' stages asked for files that the stage before had written elsewhere, under another step."""
    trained(tmp_path / "stage_1", 1, steps=2, frames=1)
    with pytest.raises(MissingError, match="stage_3"):
        trained(tmp_path / "again", 3, start="stage_3")
    trained(tmp_path / "stage_2", 2, start="stage_1", steps=2)
    first, second = (model_of(checkpoints.newest(tmp_path / f"stage_{number}"), averaged=False) for number in (1, 2))
    moved = [name for name, parameter in second.named_parameters() if not torch.equal(parameter, dict(first.named_parameters())[name])]
    assert moved
    assert all("motion_module" in name or "attn2" in name or "norm2" in name or name.startswith("audio_projection") for name in moved)
    assert exported.find(tmp_path).stage == 2
    with pytest.raises(UsageError, match="another size"):
        write_config(tmp_path / "full", 3, start="stage_2", model="full")
        train(Job(tmp_path / "full", device="cpu"), ToySource())


def test_what_is_exported_comes_back_the_same_and_says_that_it_is_random(whole):
    found = exported.find(whole[0].parent)
    assert (found.step, found.stage, found.random) == (6, 3, True)
    assert found.fingerprint.startswith("random:")
    loaded = official.opened(found.folder, dtype=torch.float32, config=found.config)
    assert same(loaded.state_dict(), model_of(checkpoints.newest(whole[0]), averaged=True).state_dict())
    for place in (whole[0], whole[0] / "model"):
        assert exported.find(place) == found
    with pytest.raises(MissingError, match="holds no trained model"):
        exported.find(whole[0] / "seen")


def test_a_gpu_that_is_not_there_is_told_instead_of_training_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    write_config(tmp_path / "stage_3", 3)
    with pytest.raises(MissingError, match="--device cuda: torch sees no GPU"):
        train(Job(tmp_path / "stage_3", device="cuda"), ToySource())


def test_stage_1_without_its_published_weights_says_which(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "none"))
    write_config(tmp_path / "stage_1", 1, start="initial", frames=1)
    with pytest.raises(MissingError, match="sd-image-variations-unet.*talkvid weights fetch.*moore"):
        train(Job(tmp_path / "stage_1", device="cpu"), ToySource())


def stepped(stage: int, step: int, checkpointing: bool = False, **changes) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of one step of a fresh model whose new parts are not silent."""
    overrides = {"start": "random", "checkpointing": str(checkpointing).lower(), **{name: str(value) for name, value in changes.items()}}
    settings = read(stage, None, overrides, smoke=True)
    torch.manual_seed(1)
    model = VExpress(settings.model_config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    model.use_checkpointing(denoising_unet=checkpointing)
    parameters = freeze_all_but(model, stage)
    batch = toy_batch(step, [2 * step, 2 * step + 1], settings.frames)
    inputs = inputs_of(batch, draws_of(batch, settings, model.denoising_unet.attention_names()), None, torch.device("cpu"), torch.float32)
    loss = loss_of(model, inputs, settings).total
    loss.backward()
    return loss.item(), {name: parameter.grad for name, parameter in parameters.items()}


@pytest.mark.parametrize("unconditional", [0, 1])
def test_checkpointing_loses_no_gradient_not_even_without_conditions(unconditional):
    """The scripts' re-entrant checkpointing lost those of three down blocks in unconditional steps."""
    loss, gradients = stepped(2, 0, unconditional=unconditional)
    again, kept = stepped(2, 0, checkpointing=True, unconditional=unconditional)
    assert again == loss
    assert all(gradient is not None for gradient in kept.values())
    for name, gradient in gradients.items():
        torch.testing.assert_close(kept[name], gradient, msg=name)
    assert all(kept[name].abs().sum() > 0 for name in kept if "down_blocks.0.motion_modules" in name)


def test_whether_a_step_is_unconditional_needs_no_process_group_and_is_one_draw_for_all():
    """The scripts asked torch.distributed, which one process alone does not have."""
    assert not torch.distributed.is_initialized()
    settings = read(3, None, {"unconditional": "0.5", "kps_drop": "0"}, smoke=True)
    drawn = [draws_of(toy_batch(step, range(8 * step, 8 * step + 8), 2), settings, []).drops for step in range(40)]
    dropped = [drops for drops in drawn if drops is not None]
    assert 10 < len(dropped) < 30
    assert all(drops.unconditional.all() for drops in dropped)


def test_bfloat16_weights_move_by_their_float32_masters():
    settings = read(3, None, {"precision": "bf16", "learning_rate": "1e-6", "engine": "plain", "start": "random"}, smoke=True)
    torch.manual_seed(2)
    model = VExpress(settings.model_config).to(torch.bfloat16)
    parameters = freeze_all_but(model, 3)
    engine = PlainEngine(model, parameters, settings, Processes())
    before = [master.clone() for master in engine.masters]
    trainer = Trainer(settings, model, engine, lambda: None, Processes())
    trainer.step(trainer.prepared(toy_batch(0, [0, 1], settings.frames)))
    moved = dict(zip(parameters, ((master - old).abs().max().item() for master, old in zip(engine.masters, before))))
    assert 0 < moved["denoising_unet.conv_out.weight"] < 2e-6, "less than a bfloat16 weight can show"
    assert all(torch.equal(parameter, master.bfloat16()) for parameter, master in zip(parameters.values(), engine.masters))


def launched(folder: Path, world: int) -> subprocess.CompletedProcess:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={world}"] if world > 1 else []
    words = [sys.executable, *launcher, "-m" if not launcher else str(ROOT / "tests/training/toy_source.py")]
    words += ["tests.training.toy_source"] if not launcher else []
    return subprocess.run([*words, str(folder), "--device", "cpu", "--quiet"], env=ENVIRONMENT, capture_output=True, text=True, timeout=300)


def test_two_ranks_under_zero_2_do_what_one_does_and_the_number_of_ranks_may_change(whole, validated, tmp_path):
    """Validation too, of which they have uneven shares: the scripts' first rank validated alone while the others waited in a collective call."""
    folder = tmp_path / "stage_3"
    write_config(folder, 3, engine="deepspeed", batch_per_rank=1, ema=0.5, steps=4, validate_every=2, validation_samples=3)
    done = launched(folder, 2)
    assert done.returncode == 0, done.stderr[-3000:]
    assert losses(folder) == pytest.approx({step: whole[1][step] for step in (1, 2, 3, 4)}, rel=1e-4)
    measured = told_to_tensorboard(validated[0], "validation/loss")
    assert told_to_tensorboard(folder, "validation/loss") == pytest.approx({step: measured[step] for step in (2, 4)}, rel=1e-4)
    step = "step-00000004"
    ours, alone = (model_of(checkpoints.at(place / step), averaged=True).state_dict() for place in (folder, whole[0]))
    assert apart(ours, alone) < 0.1 * apart(ours, weights(folder)), "the average that the ranks share out is that of one rank"
    assert trained(folder, batch_per_rank=1, ema=0.5) == pytest.approx(whole[1], rel=1e-4), "resumed by one rank without DeepSpeed"
    write_config(folder, 3, batch_per_rank=1, steps=8)
    refused = launched(folder, 3)
    assert refused.returncode != 0
    assert json.loads((folder / "outcome.json").read_text())["sentence"].startswith("the run was begun with 2 samples a step, which 3 ranks cannot share")
