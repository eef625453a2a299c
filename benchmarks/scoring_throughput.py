"""Scoring through Spark against the same scorers in a bare Python loop with the same parallelism.

`python -m benchmarks.scoring_throughput [FOLDER] [--clips 100] [--clip-s 4] [--scorers a,b]`; both read the same clips and load
their networks themselves; the Spark session is started before the clock.
"""

import argparse
import multiprocessing
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.clips import lake_of_clips, videos_of
from benchmarks.corpus import corpus_folder
from benchmarks.table import show
from jobs import metadata
from jobs.packing import chunks, pack
from jobs.pending import pending_clips
from jobs.score import ScoreConfig, run, wanted_scorers
from jobs.score_work import work_s
from udfs.score_worker import ScoringPlan, score_items

PARALLEL = 2


def bare(work: tuple[ScoringPlan, list[dict]]) -> int:
    """Score one bin in this process; returns how many clips came out without a failure."""
    plan, items = work
    return sum(not rows[0]["failures"] for _, rows in score_items(plan, items))


def main() -> None:
    """Measure both ways and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=corpus_folder())
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--clip-s", type=float, default=4.0)
    parser.add_argument("--scorers", default="technical,flow,head")
    args = parser.parse_args()
    config = ScoreConfig(scorers=tuple(args.scorers.split(",")), device="cpu", quiet=True)
    with tempfile.TemporaryDirectory() as folder:
        lake = lake_of_clips(Path(folder, "lake"), videos_of(args.folder), clips=args.clips, clip_s=args.clip_s)
        metadata.refresh(lake)
        plan = ScoringPlan.of(wanted_scorers(config)[0])
        items = pending_clips(lake, dict(plan.fingerprints), retry_failed=False)

        started = time.monotonic()
        bins = pack(chunks(items, lambda item: item["video_id"], most=4), partial(work_s, plan=plan), PARALLEL)
        with multiprocessing.get_context("spawn").Pool(PARALLEL) as pool:
            bare_scored = sum(pool.imap_unordered(bare, [(plan, filled) for filled in bins]))
        bare_s = time.monotonic() - started

        from cluster.session import spark_session

        spark = spark_session(f"local[{PARALLEL},4]")
        started = time.monotonic()
        summary = run(spark, lake, config)
        spark_s = time.monotonic() - started
        spark.stop()
    rows = [
        ("bare loop, 2 processes", bare_scored, f"{bare_s:.1f}", f"{len(items) / bare_s:.2f}", "1.00"),
        ("talkvid score, local[2]", summary.counts["scored"], f"{spark_s:.1f}", f"{len(items) / spark_s:.2f}", f"{bare_s / spark_s:.2f}"),
    ]
    show(f"Scoring {len(items)} clips of {args.clip_s:g} s with {args.scorers}", ("way", "scored", "s", "clips/s", "ratio"), rows)


if __name__ == "__main__":
    main()
