"""`talkvid train`: trains one stage of the talking-head model on the prepared samples."""

import sys
import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.arguments import assignments, natural
from jobs.cli import Sessions
from jobs.history import configuration_json, new_run_id
from jobs.job import Job
from jobs.run import DEFAULT_POLICY, configured, run_line
from jobs.summary import Summary
from jobs.training_launch import LAUNCHERS, Launch
from jobs.training_needs import check_output, lacking, lacking_vae
from jobs.training_restarts import restarted
from jobs.training_snapshot import Selection, check_filters, make_snapshot, shows_bench
from schemas import storage, uploads
from schemas.errors import BusyError, MissingError, UsageError
from schemas.lake import Lake
from schemas.lease import lease
from schemas.ledger import now
from training import checkpoint_store, exported, stages
from training.checkpoint_store import Found
from training.set_aside import set_aside
from training.snapshot import TABLE, Snapshot
from training.stage_files import CONFIG, SNAPSHOT
from training.stages import Settings
from training.starting_point import from_itself, missing
from udfs.device import resolve, visible_gpus

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PATIENCE_S = 120.0
"""How long the end of a training waits for another verb to let go of the lake."""


@dataclass(frozen=True)
class TrainConfig:
    """What to train (`settings`), from which samples, into which folder or prefix in a store (None: `train` below the lake), and how it is started.

    `input`: a folder of footage that goes through the whole line first. `snapshot`: version of the samples, the newest if None.
    `limit`: of the footage's videos. `restarts`: how often the ranks are started again when one of them was lost.
    """

    settings: Settings
    output: str | None = None
    input: str | None = None
    policy: str = DEFAULT_POLICY
    snapshot: int | None = None
    resume: str = "auto"
    launcher: str = "local"
    ranks: int = 1
    restarts: int = 0
    device: str = "auto"
    smoke: bool = False
    quiet: bool = False
    limit: int | None = None
    master: str | None = None
    conf: tuple[tuple[str, str], ...] = ()

    def home(self, lake: Lake) -> str:
        """Folder or prefix in a store below which stages are kept."""
        return storage.address(lake.place.at("train") if self.output is None else self.output)

    def place(self, lake: Lake) -> str:
        """Address of the stage."""
        return storage.at(self.home(lake), self.settings.folder)


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("--stage", type=int, choices=stages.STAGES, required=True, help="1: pictures; 2: motion and lips; 3: everything")
    parser.add_argument("--config", metavar="YAML", help="settings of your own, or speaker_finetune.yaml; the stage's when not given")
    parser.add_argument(
        "--set",
        metavar="K=V",
        action="append",
        default=[],
        help="change a setting, repeatable; the settings are those of training/stages.py, a wrong one lists them",
    )
    parser.add_argument("--input", metavar="DIR", help="train on this footage: runs ingest … prepare on it first")
    parser.add_argument("--policy", metavar="P", default=DEFAULT_POLICY, help="policy for --input")
    parser.add_argument("--output", metavar="DIR", help="checkpoints, events and model, a folder or s3a:// prefix; LAKE/train when not given")
    parser.add_argument("--snapshot", metavar="VERSION", type=natural, help="version of the samples; the newest when not given")
    parser.add_argument("--resume", metavar="auto|never|DIR", default="auto", help="go on from the newest step, begin anew, or go on from that step")
    parser.add_argument("--launcher", choices=LAUNCHERS, default="local", help="who starts the ranks")
    parser.add_argument(
        "--max-restarts", metavar="N", type=int, default=0, help="start the ranks again, at most N times, when one of them, or its node, was lost"
    )
    parser.add_argument("--num-gpus", metavar="N", type=int, help="ranks; all GPUs of this machine when not given, one without a GPU")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where networks run")
    parser.add_argument("--smoke", action="store_true", help="a tiny model with random weights, to try the whole line in minutes")


def configure(args: Namespace) -> TrainConfig:
    """The configuration of a command line. Raises `UsageError` and `MissingError` for settings that cannot be."""
    settings = stages.read(args.stage, args.config, assignments(args.set, "--set"), smoke=args.smoke)
    check_filters(settings.filters)
    if args.num_gpus is not None and args.num_gpus < 1:
        raise UsageError("--num-gpus must be 1 or more")
    if args.max_restarts < 0:
        raise UsageError("--max-restarts must not be negative")
    if args.limit is not None and args.input is None:
        raise UsageError("--limit is of the videos of --input, which is not given; how much is trained is --set steps=N")
    if args.input is not None and args.snapshot is not None:
        raise UsageError("--input makes a new version of the samples, and --snapshot names an old one: they exclude each other")
    if args.max_restarts and args.resume not in ("auto", "never"):
        raise UsageError("--max-restarts goes with --resume auto or never: the restarted ranks go on from the newest step")
    if args.input is not None and not Path(args.input).expanduser().exists():
        raise MissingError(f"--input {args.input}: there is no such folder")
    return TrainConfig(
        settings,
        args.output,
        args.input,
        args.policy,
        args.snapshot,
        args.resume if args.resume in ("auto", "never") else storage.address(args.resume),
        args.launcher,
        args.num_gpus or _gpus(args.device),
        args.max_restarts,
        args.device,
        args.smoke,
        args.quiet,
        args.limit,
        args.master,
        tuple(assignments(args.conf, "--conf").items()),
    )


def _gpus(device: str) -> int:
    return 1 if device == "cpu" else max(1, visible_gpus())


def check(lake: Lake, config: TrainConfig) -> None:
    """Raise `MissingError` for a GPU, for weights, or an earlier stage, that a fresh start lacks, before anything runs.

    Raises as `check_output` does, and `UsageError` for a stage that is to begin anew from itself.
    """
    if config.launcher != "spark":
        resolve(config.device)
    check_output(config.place(lake))
    if config.resume == "never" and from_itself(config.settings, config.home(lake)):
        raise UsageError(f"start={config.settings.start} is the stage that --resume never puts aside: keep it, and train into another with --set folder=NAME")
    step = _step(config.place(lake), config.resume)
    if step is None:
        _require(missing(config.settings, config.home(lake)) or lacking(lake, config.settings, footage=config.input is not None, version=config.snapshot))
    elif not _finished(config.place(lake), config.settings, step):
        _require(lacking_vae(config.settings, Snapshot.read(storage.at(step.stage, SNAPSHOT)).latents))


def _require(lack: str | None) -> None:
    if lack is not None:
        raise MissingError(lack)


def run(spark: "SparkSession | None", lake: Lake, config: TrainConfig) -> Summary:
    """footage, if given → snapshot → ranks → model."""
    if config.input is None:
        return _trained(spark, lake, config)
    _prepare(lake, config)
    with Sessions(config.master, dict(config.conf)) as sessions:
        return _trained(sessions.get() if config.launcher == "spark" else None, lake, config)


def _trained(spark: "SparkSession | None", lake: Lake, config: TrainConfig) -> Summary:
    place, run_id = config.place(lake), new_run_id("train")
    uploads.abort_in_stage(place)
    step = _step(place, config.resume)
    if step is not None and storage.same(step.stage, place) and _finished(place, config.settings, step):
        summary = Summary("train", {"in": 0, "steps": 0}, outputs=[place], notes=[f"train: {place} has all {config.settings.steps} steps"])
        return _with_model(summary)
    settings, snapshot = _planned(lake, config, place, step)
    _require(lacking_vae(settings, snapshot.latents))
    row = _started_row(config, settings, snapshot, place, run_id)
    with lease(lake.place, "train"):
        aside = set_aside(place, step) if config.resume != "auto" else None
        if aside is not None:
            print(f"train: what this run does not go on from lies in {aside} now", file=sys.stderr)
        storage.put_bytes(settings.text().encode(), storage.at(place, CONFIG))
        snapshot.write(storage.at(place, SNAPSHOT))
        lake.ledger.create()
        lake.ledger.append("runs", [row])
    counts = {"in": len(snapshot) - len(snapshot.gone), "steps": 0}
    resume = config.resume if step is not None and not storage.same(step.stage, place) else "auto"
    launch = Launch(place, config.ranks, resume, config.device, config.quiet)
    try:
        told = restarted(config.restarts, config.launcher, launch, spark)
        counts["steps"] = told["steps"]
    finally:
        _told_end(lake, row, counts)
    summary = Summary("train", counts, outputs=[place])
    summary.extra = {name: told[name] for name in ("first_step", "first_loss", "last_loss", "restarts")}
    return _with_model(summary)


def _step(place: str, resume: str) -> Found | None:
    """The step that a run of the stage at `place` would go on from. Raises `MissingError` where the named one is not there."""
    if resume == "never":
        return None
    return checkpoint_store.newest(place) if resume == "auto" else checkpoint_store.found(resume)


def _finished(place: str, settings: Settings, step: Found) -> bool:
    note = exported.note_of(place)
    return step.manifest.step >= settings.steps and note is not None and note["step"] == step.manifest.step


def _planned(lake: Lake, config: TrainConfig, place: str, step: Found | None) -> tuple[Settings, Snapshot]:
    """Settings and clips of the run: of a new one, or those of the one that goes on, where its clips lie now."""
    if step is not None:
        settings = stages.continued(stages.stored(storage.at(step.stage, CONFIG)), config.settings)
        snapshot = Snapshot.read(storage.at(step.stage, SNAPSHOT))
        begun = snapshot.selection.get("version", snapshot.version)
        if config.snapshot not in (None, begun):
            raise UsageError(f"the run was begun with version {begun} of the samples, which --snapshot {config.snapshot} cannot change: take --resume never")
        snapshot = snapshot.resolved(lake.ledger)
        gone = f"{len(snapshot.gone)} of {len(snapshot)} clips were removed since the run began" if snapshot.gone else None
        for sentence in filter(None, (gone, shows_bench(lake, snapshot))):
            print(f"train: {sentence}", file=sys.stderr)
    else:
        settings = config.settings
        made = make_snapshot(lake, Selection(settings.filters, config.snapshot))
        print(f"train: {made.sentence}", file=sys.stderr)
        snapshot = made.snapshot
    return _fitting(settings, snapshot), snapshot


def _fitting(settings: Settings, snapshot: Snapshot) -> Settings:
    """The settings with the size of the samples' pictures. Raises `UsageError` for samples of a smoke test under a real model, and the like."""
    if settings.model == "smoke":
        return replace(settings, image_px=snapshot.side_px)
    if snapshot.random:
        raise UsageError("the samples were made with random weights (prepare --smoke): prepare them anew, or train with --smoke too")
    if snapshot.side_px != settings.image_px:
        raise UsageError(f"the samples are {snapshot.side_px} px wide, not image_px={settings.image_px}")
    return settings


def _prepare(lake: Lake, config: TrainConfig) -> None:
    """The line from footage to samples, under the lease."""
    shared = ["--lake", lake.place.root, *(["--quiet"] if config.quiet else [])]
    device, limit = ["--device", config.device], [] if config.limit is None else ["--limit", str(config.limit)]
    words = {"ingest": [str(config.input), *limit], "segment": device, "score": device, "filter": ["--policy", config.policy, "--save"]}
    words["prepare"] = [*device, "--smoke"] if config.smoke else device
    line = [configured(verb, [*own, *shared]) for verb, own in words.items()]
    with lease(lake.place, "train"), Sessions(config.master, dict(config.conf)) as sessions:
        lake.ledger.create()
        run_line(lake, line, sessions)


def _started_row(config: TrainConfig, settings: Settings, snapshot: Snapshot, place: str, run_id: str) -> dict[str, Any]:
    """The row that says a trainer is at work, so that the files it reads are kept (law 9)."""
    configuration = configuration_json(replace(config, settings=settings))
    row = {"run_id": run_id, "verb": "train", "configuration": configuration, "input_versions": [(TABLE, snapshot.version)]}
    return row | {"output_uris": [place], "complete": False, "started": now()}


def _told_end(lake: Lake, row: dict[str, Any], counts: dict[str, int]) -> None:
    """The row that says it ended, as soon as the lake is free."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with lease(lake.place, "train"):
                complete = counts["steps"] > 0
                lake.ledger.append("runs", [row | {"counts": list(counts.items()), "complete": complete, "finished": now()}])
                return
        except BusyError as error:
            if time.monotonic() > deadline:
                print(f"train: {error}; that this training ended could not be noted", file=sys.stderr)
                return
            time.sleep(1.0)


def _with_model(summary: Summary) -> Summary:
    """Say where the model is, and first of all when it is random. Raises `MissingError` where there is none."""
    (place,) = summary.outputs
    note = exported.note_of(place)
    if note is None:
        raise MissingError(f"{place} holds no whole model; run it again to have it exported")
    summary.fingerprint = note["fingerprint"]
    lines = ["random weights: this model began at random and generates noise; it only shows that the line works"] if note["random"] else []
    summary.results = "\n".join([*lines, storage.at(place, exported.MODEL_FOLDER)])
    return summary


JOB = Job(
    "train",
    "train one stage on the prepared samples",
    arguments,
    configure,
    run,
    check=check,
    needs_spark=lambda config: config.launcher == "spark" and config.input is None,
    takes_lease=lambda config: False,
    limit="take at most N new videos of --input",
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["train", *sys.argv[1:]])
