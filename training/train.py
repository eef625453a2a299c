"""The program of one rank: `python -m training.train STAGE` trains the stage whose `config.yaml` and `snapshot.json` lie in STAGE.

STAGE is a folder that all ranks see, or a prefix in a store, of which each node then keeps copies. Any launcher starts it: torchrun, `deepspeed --module`,
Spark's DeepspeedTorchDistributor, `talkvid train`, or a shell: it reads RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, and without them it is
alone. It ends with the exit status of the command-line contract; `outcome.json` in STAGE says why.
"""

import argparse
import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if __package__ in (None, ""):  # started as a file: its own folder must not hide other modules, its parent must be found
    sys.path[:] = [str(Path(__file__).resolve().parents[1]), *(place for place in sys.path if Path(place).resolve() != Path(__file__).resolve().parent)]

from schemas import storage
from schemas.errors import Interrupted, TalkvidError, UsageError
from training.stage_files import CONFIG, OUTCOME, SNAPSHOT

if TYPE_CHECKING:
    from training.batch import Batch
    from training.checkpoints import Manifest, Step
    from training.model.image_coder import ImageCoder
    from training.model.vexpress import VExpress
    from training.processes import Processes
    from training.shelf import Shelf
    from training.stages import Settings
    from training.trainer import Outcome


class Source(Protocol):
    """Where batches come from."""

    version: int | None
    """Of the table that they come from."""
    random: bool
    """True when features in it were made with random weights."""

    def batches(self, settings: "Settings", processes: "Processes", start_step: int) -> "Iterator[Batch]":
        """This rank's batches from a step on, without end."""

    def held_out(self, settings: "Settings") -> "Sequence[Batch]":
        """Batches of one sample each that training never sees; may be empty."""


@dataclass(frozen=True)
class Job:
    """What to train, from which step on. `resume`: `auto` (the newest step of the stage, if there is one), `never`, or a folder with steps, or with one.

    `stage` is a folder or a prefix in a store; there `launch` is the name of the launch that this rank is part of. `ancestors`: how many
    processes above this one have to live.
    """

    stage: str | Path
    resume: str = "auto"
    device: str = "auto"
    quiet: bool = False
    launch: str = ""
    ancestors: int = 0

    def shelf(self) -> "Shelf":
        """Where this rank keeps what it makes."""
        from training.checkpoint_store import StoreShelf
        from training.shelf import Shelf

        return StoreShelf.of(str(self.stage), self.launch) if storage.is_remote(self.stage) else Shelf(Path(self.stage))


def main(arguments: Sequence[str] | None = None) -> int:
    """One rank's run; returns the exit status."""
    job = _job(arguments)
    try:
        from training.launcher_watch import end_with_launcher
        from training.snapshot_source import SnapshotSource

        if job.ancestors:
            end_with_launcher(job.ancestors)
        shelf = job.shelf()
        shelf.ready(_rank())
        outcome = train(job, SnapshotSource.of(shelf.folder / SNAPSHOT), shelf)
    except TalkvidError as error:
        return _ended(job, error.exit_status, str(error))
    except Interrupted as error:
        return _ended(job, error.exit_status, "interrupted; the step was saved, run it again to go on")
    except BaseException:
        traceback.print_exc()
        return _ended(job, 1, None)
    _write_outcome(job, {"exit_status": 0, **outcome._asdict()})
    return 0


def train(job: Job, source: Source, shelf: "Shelf | None" = None) -> "Outcome":
    """Train a stage to its end, resumed or new, then export it. Raises `TalkvidError`, or `Interrupted` after the step was saved."""
    from training import stages
    from training.engine import uses_deepspeed
    from training.export_model import export
    from training.processes import opened
    from training.stop_request import watched
    from training.trainer import Outcome, Run

    shelf = shelf or job.shelf()
    settings = stages.stored(shelf.folder / CONFIG)
    with watched() as stop, opened(job.device, group_for_one=uses_deepspeed(settings)) as processes:
        step = shelf.step(job.resume, processes)
        settings = _for_ranks(settings, step, processes)
        if step is not None and step.manifest.step >= settings.steps:
            _export_unless_done(shelf, settings, step, processes)
            return Outcome(step.manifest.step, 0, None, None, 0.0)
        trainer, manifest = _built(shelf, settings, step, source, processes)

        def after_checkpoint(done: int) -> None:
            if settings.exports_at(done) or done == settings.steps:
                if processes.first:
                    export(shelf.folder, settings, shelf.written(done))
                    shelf.share_model()
                processes.wait()

        validation = _validation(settings, trainer.coder, source, processes)
        run = Run(trainer, shelf, manifest, stop, quiet=job.quiet)
        try:
            with contextlib.closing(source.batches(settings, processes, manifest.step)) as batches:
                outcome = run.through(batches, validation, after_checkpoint)
        finally:
            shelf.share_metrics(processes.rank)
        shelf.clear(processes)
        return outcome


def _for_ranks(settings: "Settings", step: "Step | None", processes: "Processes") -> "Settings":
    """The settings with as many samples for each rank as keep the global batch of the step that is resumed. Raises `UsageError` where that cannot be."""
    if step is None:
        return settings
    said = step.manifest
    for name in ("stage", "model", "precision"):
        if getattr(said, name) != getattr(settings, name):
            raise UsageError(f"{step.folder} was trained with {name}={getattr(said, name)}, not {getattr(settings, name)}")
    each, rest = divmod(said.global_batch, processes.world)
    if rest:
        raise UsageError(f"the run was begun with {said.global_batch} samples a step, which {processes.world} ranks cannot share evenly; take another number")
    if each % settings.accumulation:
        raise UsageError(f"each of {processes.world} ranks has {each} samples a step, which accumulation={settings.accumulation} does not divide")
    return replace(settings, batch_per_rank=each)


def _built(shelf: "Shelf", settings: "Settings", step: "Step | None", source: Source, processes: "Processes") -> "tuple[Any, Manifest]":
    """The trainer with all weights in place, and the manifest of where it stands."""
    from training.checkpoints import Manifest
    from training.core_step import DTYPES
    from training.engine import engine_for
    from training.model.parameter_groups import freeze_all_but
    from training.starting_point import started
    from training.trainer import Trainer

    random = source.random or settings.model == "smoke"
    if step is None:
        model, from_random = started(settings, shelf.place.rpartition("/")[0])
        random |= from_random
    else:
        model = _empty(settings, step)
        random |= step.manifest.random
    trained = freeze_all_but(model, settings.stage)
    if processes.first and (step is None or step.folder.parent != shelf.folder):
        shelf.keep_frozen({name: tensor for name, tensor in model.state_dict().items() if name not in trained})
    exact = {name: parameter.detach() for name, parameter in trained.items()}
    model = model.to(processes.device, DTYPES[settings.precision])
    model.use_checkpointing(denoising_unet=settings.checkpointing)
    engine = engine_for(model, trained, settings, processes)
    if step is None:
        engine.begin(exact)
    else:
        engine.restore(step.stored(), processes.rank)
    manifest = Manifest(
        step=0 if step is None else step.manifest.step,
        stage=settings.stage,
        model=settings.model,
        precision=settings.precision,
        world=processes.world,
        global_batch=settings.batch_per_rank * processes.world,
        random=random,
        snapshot_version=source.version,
    )
    return Trainer(settings, model, engine, _coder(settings, processes), processes), manifest


def _empty(settings: "Settings", step: "Step") -> "VExpress":
    """A model with the weights of a step; those that are trained come again, and exact, from the engine."""
    import torch

    from training.export_model import fill
    from training.model.vexpress import VExpress

    with torch.device("meta"):
        model = VExpress(settings.model_config)
    model = model.to_empty(device="cpu")
    fill(model, step)
    return model


def _coder(settings: "Settings", processes: "Processes") -> "Callable[[], ImageCoder]":
    """The VAE, loaded when it is first needed: with cached latents, never."""
    import torch

    from training.core_step import DTYPES
    from training.model.image_coder import ImageCoder

    half: torch.dtype = torch.float16 if processes.device.type == "cuda" else DTYPES[settings.precision]
    dtype = torch.float32 if settings.precision == "fp32" else half
    return lru_cache(1)(lambda: ImageCoder.load(processes.device, dtype, smoke=settings.model == "smoke"))


def _validation(settings: "Settings", coder: "Callable[[], ImageCoder]", source: Source, processes: "Processes") -> Any:
    from training.core_step import DTYPES
    from training.validation import Validation

    if not (settings.validate_every and settings.validation_samples):
        return None
    return Validation(lambda: source.held_out(settings), coder, settings, processes, DTYPES[settings.precision])


def _export_unless_done(shelf: "Shelf", settings: "Settings", step: "Step", processes: "Processes") -> None:
    """A run that was killed between its last step and its export."""
    from training import exported
    from training.export_model import export

    if processes.first and (exported.note_of(shelf.place) or {}).get("step") != step.manifest.step:
        export(shelf.folder, settings, step)
        shelf.share_model()
    processes.wait()


def _job(arguments: Sequence[str] | None) -> Job:
    parser = argparse.ArgumentParser(prog="training.train", description="Train one stage, as one rank.")
    parser.add_argument("stage", metavar="STAGE", help="a folder that all ranks see, or an s3a:// prefix")
    parser.add_argument("--launch", default="", help="name of this launch, in a store the only one that may write")
    parser.add_argument("--ancestors", type=int, default=0, help="processes above this one, without which it ends")
    parser.add_argument("--resume", default="auto", metavar="auto|never|DIR")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--quiet", action="store_true")
    for flag in ("--local_rank", "--deepspeed_config"):  # launchers add these; the environment says the same
        parser.add_argument(flag, help=argparse.SUPPRESS)
    parser.add_argument("--deepspeed", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    return Job(storage.address(args.stage), args.resume, args.device, args.quiet, args.launch, args.ancestors)


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


def _ended(job: Job, status: int, sentence: str | None) -> int:
    if sentence is not None:
        print(f"training: {sentence}", file=sys.stderr, flush=True)
    _write_outcome(job, {"exit_status": status, "sentence": sentence})
    return status


def _write_outcome(job: Job, outcome: dict[str, Any]) -> None:
    """Written by the first rank, and by any other that fails alone. The first rank's word stands, unless another's says more."""
    stage, first, failed = str(job.stage), _rank() == 0, outcome["exit_status"] != 0
    if not storage.is_remote(stage) and not Path(stage).is_dir():
        return
    place = storage.at(stage, OUTCOME)
    if (first or failed) and not (failed and (not first or outcome["sentence"] is None) and storage.exists(place)):
        storage.put_bytes((json.dumps(outcome) + "\n").encode(), place)


if __name__ == "__main__":
    sys.exit(main())
