"""A table of videos: what is missing is made on Spark, noted in `generations` and `failures`, and summed up."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from inference.worker import ROWS, GenerationPlan, died, generate_items
from jobs.batches import in_batches
from jobs.devices import stage_device
from jobs.generation_config import RANDOM, GenerateConfig
from jobs.generation_inputs import in_store
from jobs.generation_plan import STAGE, BatchPlan, Request, batch_plan, requests
from jobs.generation_table import read_wishes, source_of
from jobs.history import new_run_id, record
from jobs.summary import Summary, check_sum
from schemas import storage, unfinished
from schemas.codes import RETRYABLE
from schemas.lake import Lake
from schemas.ledger import now

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SMOKE_WORKER_GIB, FULL_WORKER_GIB = 1.5, 14.0


@dataclass(frozen=True)
class Planned:
    """A batch that is ready to be worked on."""

    source: str
    model_fingerprint: str
    plan: BatchPlan
    wanted: int
    worker_gib: float


def planned_batch(lake: Lake, config: GenerateConfig) -> Planned:
    """Read the table and compare it with what is there. Raises `MissingError` and `UsageError` as its parts do, also where videos cannot be written."""
    from inference.networks import Checkpoint

    checkpoint = Checkpoint.at(config.checkpoint_path)
    fingerprint, source = checkpoint.fingerprint(), source_of(config.table, lake)
    place = hashlib.sha256(f"{source} {fingerprint}".encode()).hexdigest()[:12]
    wanted = requests(read_wishes(source), config.options, config.out or lake.place.at("generations", place), fingerprint)
    plan = batch_plan(lake, wanted, source, fingerprint, retry_failed=config.retry_failed, limit=config.limit)
    outputs = [request.output_uri for request in plan.pending]
    for output in outputs:
        storage.check_name(output)
    for one in {output.rpartition("/")[0]: output for output in outputs}.values():
        storage.check_writable(one)
    some = len(plan.present) + len(plan.failed) + len(plan.pending)
    return Planned(source, fingerprint, plan, some, SMOKE_WORKER_GIB if checkpoint.side_px < 512 else FULL_WORKER_GIB)


def run_batch(spark: "SparkSession | None", lake: Lake, config: GenerateConfig, planned: Planned) -> Summary:
    """Make what is pending and note it; without anything pending `spark` may be None."""
    started, run_id, plan = now(), new_run_id(STAGE), planned.plan
    counts = {"in": len(plan.pending), "wanted": planned.wanted, "written": 0, "present": len(plan.present), "failed": len(plan.failed)}
    folder = config.out or (plan.pending or plan.present or plan.failed)[0].output_uri.rpartition("/")[0] if planned.wanted else config.out
    summary = Summary(STAGE, counts, fingerprint=planned.model_fingerprint, outputs=[folder] if folder else [], complete=config.limit is None)
    summary.extra = {"run_id": plan.run_id}
    if planned.model_fingerprint.startswith("random:"):
        summary.results = RANDOM
    _sweep(plan)
    if plan.taken_over:
        at = now()
        lake.ledger.append("generations", [{**row, "created_at": at} for row in plan.taken_over])
        summary.notes.append(f"generate: {len(plan.taken_over)} videos that an earlier run made or tried count in {plan.run_id} too")
    if not plan.pending:
        summary.notes.append(f"generate: nothing new for {planned.source}")
        check_sum(STAGE, "wanted", ("written", "present", "failed"), counts)
        return summary
    plan = replace(plan, pending=in_store(lake, plan.pending))
    by_id = {request.generation_id: request for request in plan.pending}
    for rows in _made(spark, config, plan, planned.worker_gib):
        _commit(lake, [row | {"request": by_id[row["generation_id"]]} for row in rows], planned, run_id)
        failed = sum(row["code"] is not None for row in rows)
        counts["failed"] += failed
        counts["written"] += len(rows) - failed
    _sweep(plan)
    lake.ledger.compact("generations")
    check_sum(STAGE, "wanted", ("written", "present", "failed"), counts)
    record(lake, summary, config, run_id=run_id, started=started, depends_on=(), fingerprints={"model": planned.model_fingerprint})
    return summary


def _sweep(plan: BatchPlan) -> None:
    """Delete what killed workers left half written beside this table's videos; others may lie in the same folder."""
    unfinished.sweep(request.output_uri for request in (*plan.present, *plan.failed, *plan.pending))


def _made(spark: "SparkSession", config: GenerateConfig, plan: BatchPlan, worker_gib: float) -> Iterator[list[dict[str, Any]]]:
    """Result rows of all pending videos, batch by batch."""
    device = stage_device(spark, config.device)
    work = GenerationPlan(config.checkpoint_path, device, config.dtype, config.save_gpu_memory)
    tables = in_batches(
        spark,
        [request.item() for request in plan.pending],
        partial(generate_items, work),
        schema=ROWS,
        weigh=work_s,
        group=lambda item: item["generation_id"],
        on_death=died,
        verb=STAGE,
        label=lambda item: item["generation_id"],
        quiet=config.quiet,
        device=device,
        worker_gib=worker_gib,
    )
    for table in tables:
        yield table.to_pylist()


def work_s(item: dict[str, Any]) -> float:
    """Rough seconds of one slot for a video, by the bytes of its inputs and its steps."""
    options = item["options"]
    return 1.0 + item["input_bytes"] / 50_000 * options["num_inference_steps"] / 25


def _commit(lake: Lake, rows: list[dict[str, Any]], planned: Planned, run_id: str) -> None:
    """Append a batch, failures first: a run killed in between tries them again."""
    at = now()
    lost = [row for row in rows if row["code"] is not None]
    failures = [
        {
            "entity": row["generation_id"],
            "stage": STAGE,
            "fingerprint": row["request"].fingerprint,
            "code": row["code"],
            "detail": row["detail"],
            "retryable": row["code"] in RETRYABLE,
            "attempt": planned.plan.attempts.get(row["generation_id"], 0) + 1,
            "at": at,
            "run_id": run_id,
        }
        for row in lost
    ]
    lake.ledger.append("failures", failures)
    lake.ledger.append("generations", [_row(row, row["request"], planned) | {"created_at": at} for row in rows])


def _row(row: dict[str, Any], request: Request, planned: Planned) -> dict[str, Any]:
    inputs, written = request.wish.inputs, row["code"] is None
    return {
        "generation_id": request.generation_id,
        "run_id": planned.plan.run_id,
        "reference_uri": inputs["reference_image_path"],
        "audio_uri": inputs["audio_path"],
        "kps_uri": inputs["kps_path"] or inputs["driving_video_path"],
        **request.wish.carried,
        "parameters": json.dumps(asdict(request.options), sort_keys=True),
        "seed": request.options.seed,
        "model_fingerprint": planned.model_fingerprint,
        "fingerprint": request.fingerprint,
        "output_uri": request.output_uri if written else None,
        **{name: row[name] for name in ("bytes", "frames", "fps", "duration_s", "seconds", "code", "detail")},
        "status": "written" if written else "failed",
        "source": planned.source,
    }
