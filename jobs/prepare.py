"""`talkvid prepare`: makes training samples of the clips that a policy keeps."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs import metadata
from jobs.batches import in_batches
from jobs.devices import stage_device
from jobs.history import new_run_id, record
from jobs.job import Job
from jobs.prepare_plan import STAGE, Plan, Wanted, make_plan, random_and_real
from jobs.summary import Summary, check_sum
from schemas import storage, unfinished
from schemas.active_policy import HOW, active_policy
from schemas.codes import RETRYABLE
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy import Policy
from schemas.policy_files import load
from schemas.row_groups import GroupedTable, Written
from training.latent_cache import LatentPlan, cache_latents, latents_fingerprint
from training.latent_cache import died as latents_died
from udfs import weights
from udfs.faces import dlib_mouth
from udfs.preparing import LABELS, PreparePlan, PrepareSettings, died, prepare_items
from udfs.sample_files import ROWS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEPENDS_ON = ("clip_metadata", "verdicts", "clips")
WORKER_GIB = 2.5


@dataclass(frozen=True)
class PrepareConfig:
    """Whose choice of clips (None: the active policy), and how their samples are made."""

    policy: str | None = None
    cache_latents: bool = False
    smoke: bool = False
    landmarks: str = "auto"
    device: str = "auto"
    retry_failed: bool = False
    limit: int | None = None
    quiet: bool = False

    @property
    def settings(self) -> PrepareSettings:
        """What shapes a sample."""
        return PrepareSettings.of(self.landmarks, self.smoke)

    def wanted(self) -> Wanted:
        """What samples shall be. Raises `MissingError` where weights are not there."""
        latents = latents_fingerprint(smoke=self.smoke) if self.cache_latents else None
        return Wanted(self.settings.fingerprint, latents, self.retry_failed, self.limit)


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("--policy", metavar="P", help="policy by name or file; the active one when not given")
    parser.add_argument("--cache-latents", action="store_true", help="keep the latents of all frames too: training needs no VAE, and mirrors no sample")
    parser.add_argument("--smoke", action="store_true", help="tiny networks with random weights and small pictures, to try the whole line")
    parser.add_argument("--landmarks", choices=("auto", "dlib68"), default="auto", help="of lips: what the face pack has, else mouth corners; or dlib's 68")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where networks run")
    parser.add_argument("--retry-failed", action="store_true", help="try clips again that failed before")


def configure(args: Namespace) -> PrepareConfig:
    """The configuration of a command line."""
    return PrepareConfig(args.policy, args.cache_latents, args.smoke, args.landmarks, args.device, args.retry_failed, args.limit, args.quiet)


def check(lake: Lake, config: PrepareConfig) -> None:
    """Raises `MissingError` for absent weights or policy, `UsageError` for a smoke test in a lake with real samples."""
    config.wanted()
    _policy(lake, config)
    real = random_and_real(lake)[1] if config.smoke else 0
    if real:
        raise UsageError(f"--smoke would put random numbers in the place of {real} samples that were made with real weights; try it in another --lake")
    if config.landmarks == "dlib68":
        terms = weights.entry(dlib_mouth.WEIGHTS)
        print(f"prepare: {terms.name}: licence {terms.licence}; {terms.licence_note}", file=sys.stderr)


def idle(lake: Lake, config: PrepareConfig) -> Summary | None:
    """The whole run when no clip has to be worked on: then Spark is not needed."""
    metadata.refresh(lake)
    plan = make_plan(lake, _policy(lake, config), config.wanted())
    return None if plan.has_work else _prepare(None, lake, config, plan)


def run(spark: "SparkSession | None", lake: Lake, config: PrepareConfig) -> Summary:
    """read kept clips → crop, encode, listen → write samples and failures."""
    return _prepare(spark, lake, config, make_plan(lake, _policy(lake, config), config.wanted()))


def _policy(lake: Lake, config: PrepareConfig) -> Policy:
    policy = load(config.policy) if config.policy else active_policy(lake.ledger)
    if policy is None:
        raise MissingError(HOW)
    return policy


def _prepare(spark: "SparkSession | None", lake: Lake, config: PrepareConfig, plan: Plan) -> Summary:
    """Do what is planned, and note it. Raises `MissingError`, before anything is changed, for a GPU that executors lack."""
    started, run_id, wanted = now(), new_run_id(STAGE), config.wanted()
    device = stage_device(spark, config.device) if spark is not None else "cpu"
    work = _Work(lake, plan, wanted, run_id)
    work.clear()
    work.sweep()
    if plan.has_work:
        assert spark is not None
        prepared = PreparePlan(config.settings, wanted.fingerprint, work.table.root, run_id, device)
        for rows in _prepared(spark, plan.new, prepared, config.quiet):
            work.commit(rows, wanted.fingerprint)
        if wanted.latents is not None:
            bare = [*plan.bare, *(clip["clip_id"] for clip in plan.new if clip["clip_id"] in work.written)]
            coded = LatentPlan(work.table.root, wanted.latents, device, config.smoke)
            for rows in _coded(spark, work.table, bare, coded, config.quiet):
                work.commit(rows, wanted.latents, replacing=True)
        work.table.level()
        work.sweep()
    counts = {"in": len(plan.new) + len(plan.bare), "wanted": len(plan.new) + len(plan.bare) + len(plan.present) + len(plan.failed)}
    counts |= {"written": len(work.written - work.failed), "present": len(plan.present), "failed": len(plan.failed) + len(work.failed)}
    check_sum("prepare", "wanted", ("written", "present", "failed"), counts)
    summary = Summary("prepare", counts, fingerprint=wanted.fingerprint, outputs=[work.table.root], complete=config.limit is None)
    if wanted.fingerprint.startswith("random:"):
        summary.results = "RANDOM WEIGHTS: the samples' features of speech mean nothing; they are there to try the line"
    summary.extra = {"taken_out": len(plan.gone), "relabelled": len(plan.relabelled), "latents": wanted.latents}
    if plan.gone:
        summary.notes.append(f"prepare: {len(plan.gone)} samples of clips that are no more were taken out")
    if plan.has_work or plan.gone or plan.relabelled:
        fingerprints = {"prepare": wanted.fingerprint} | ({"latents": wanted.latents} if wanted.latents else {})
        record(lake, summary, config, run_id=run_id, started=started, depends_on=DEPENDS_ON, fingerprints=fingerprints)
    else:
        summary.notes.append("prepare: no clip is pending")
    return summary


class _Work:
    """Writes batches, failures first: a run killed in between does not try them again, and makes what is missing."""

    def __init__(self, lake: Lake, plan: Plan, wanted: Wanted, run_id: str) -> None:
        self._ledger, self._plan, self._wanted, self._run_id = lake.ledger, plan, wanted, run_id
        self.table = GroupedTable(lake.ledger, "samples")
        self.written: set[str] = set()
        self.failed: set[str] = set()

    def clear(self) -> None:
        """Take out samples of clips that are gone and those that are made anew; give the others the labels of today."""
        self.table.commit([], self._plan.gone | self._plan.outdated)
        self.table.change(self._plan.relabelled.keys(), self._relabelled)

    def sweep(self) -> None:
        """Delete files that killed workers left half written below the table, which no vacuum looks at."""
        if not storage.is_remote(self.table.root):
            unfinished.sweep_below(self.table.root)

    def commit(self, rows: pa.Table, fingerprint: str, *, replacing: bool = False) -> None:
        """Commit the result rows of a batch; with `replacing` its clips' older rows go in the same commit."""
        results = rows.to_pylist()
        failures = [row for row in results if row["code"]]
        self._ledger.append("failures", [self._failure(row, fingerprint) for row in failures])
        done = {row["clip_id"] for row in results if not row["code"]}
        files = {row["file"]: Written(row["file"], row["bytes"], row["rows"]) for row in results if not row["code"]}
        self.table.commit(files.values(), done if replacing else ())
        self.table.level_when_many()
        self.written |= done
        self.failed |= {row["clip_id"] for row in failures}

    def _failure(self, row: dict[str, Any], fingerprint: str) -> dict[str, Any]:
        about = {"entity": row["clip_id"], "stage": STAGE, "fingerprint": fingerprint, "code": row["code"], "detail": row["detail"], "at": now()}
        return about | {"retryable": row["code"] in RETRYABLE, "attempt": self._plan.attempts.get(row["clip_id"], 0) + 1, "run_id": self._run_id}

    def _relabelled(self, rows: pa.Table) -> pa.Table:
        ids = rows["clip_id"].to_pylist()
        for name in LABELS:
            now_called = [
                self._plan.relabelled[clip_id][name] if clip_id in self._plan.relabelled else old for clip_id, old in zip(ids, rows[name].to_pylist())
            ]
            rows = rows.set_column(rows.column_names.index(name), rows.schema.field(name), pa.array(now_called, pa.string()))
        return rows


def _prepared(spark: "SparkSession", clips: list[dict[str, Any]], plan: PreparePlan, quiet: bool) -> Iterator[pa.Table]:
    """Result rows of all new clips, a table per batch."""
    return in_batches(
        spark,
        clips,
        partial(prepare_items, plan),
        schema=ROWS,
        weigh=work_s,
        group=lambda clip: clip["video_id"],
        on_death=died,
        verb=STAGE,
        label=lambda clip: clip["clip_id"],
        quiet=quiet,
        device=plan.device,
        worker_gib=WORKER_GIB,
    )


def _coded(spark: "SparkSession", table: GroupedTable, clip_ids: list[str], plan: LatentPlan, quiet: bool) -> Iterator[pa.Table]:
    """Result rows of all samples whose latents are wanted, a table per batch. Commits move rows that still wait to other files; where they were they stay
    until a vacuum, which cannot come in between."""
    places = [asdict(place) | {"clip_id": place.key} for place in table.places(clip_ids)]
    return in_batches(
        spark,
        places,
        partial(cache_latents, plan),
        schema=ROWS,
        weigh=lambda place: 1.0,
        group=lambda place: place["file"],
        on_death=latents_died,
        verb="prepare latents",
        label=lambda place: place["clip_id"],
        quiet=quiet,
        device=plan.device,
        worker_gib=WORKER_GIB,
    )


def work_s(clip: dict[str, Any]) -> float:
    """Rough seconds of one slot for a clip: its length, more for large pictures."""
    return 0.5 + (clip["end_s"] - clip["start_s"]) * (1.0 + 0.2 * clip["width"] * clip["height"] / 1e6)


JOB = Job("prepare", "make training samples of the kept clips", arguments, configure, run, check=check, idle=idle)

if __name__ == "__main__":
    from jobs.cli import main

    main(["prepare", *sys.argv[1:]])
