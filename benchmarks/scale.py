"""What bookkeeping costs as a lake grows: `talkvid score` with a scorer that does nothing, at 10^4, 10^5, 10^6 generated clips.

`python -m benchmarks.scale [--sizes 10000,100000,1000000] [--batch-s 60]`. The worker's rows are made in this process, so that what is
measured is the bookkeeping of the driver alone: finding pending rows, commits, `clip_metadata`, compaction. Session start and the work
itself are apart. CPU seconds are of this process and of what it starts. Exits 1 when one of the limits below is passed.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from benchmarks.table import show
from jobs import metadata
from jobs.history import record
from jobs.maintain import data_files
from jobs.pending import pending_clips
from jobs.score import DEPENDS_ON
from jobs.summary import Summary
from schemas.lake import Lake
from schemas.ledger import now
from schemas.tables import TABLES

CLIPS_A_VIDEO = 50
ROWS_A_BATCH = 60 * 300
"""Clips that a fleet of 300 clips a second scores in a batch of 60 s."""
FINGERPRINT = {"technical": "technical-v0-noop"}
STEPS = ("pending, first query", "pending, second query", "commits", "clip_metadata", "compaction")
COMMITS_SHARE, PENDING_CPU_S, GROWTH, FILES, NOTHING_NEW_S = 0.02, 5.0, 1.2, 64, 5.0
"""Limits: commits in a job's time; the second query; CPU of a clip at the largest size over that at the smallest; files of a table; a verb that has
nothing to do."""


class Meter:
    """Wall and CPU seconds of named steps."""

    def __init__(self) -> None:
        self.wall_s: dict[str, float] = {}
        self.cpu_s: dict[str, float] = {}
        self.most_s: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add a block's seconds to a step."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        took = time.perf_counter() - wall
        self.wall_s[name] = self.wall_s.get(name, 0.0) + took
        self.cpu_s[name] = self.cpu_s.get(name, 0.0) + time.process_time() - cpu
        self.most_s[name] = max(self.most_s.get(name, 0.0), took)


def make_lake(root: Path, clips: int) -> Lake:
    """A lake of so many clips, 50 a video, written in slices of 200,000."""
    import duckdb

    lake = Lake.at(str(root))
    lake.ledger.create()
    engine = duckdb.connect()
    videos = engine.sql(
        f"SELECT printf('v%010d', i) AS video_id, printf('/footage/%d.mp4', i) AS uri, md5(i::VARCHAR) AS sha256, 1920::INT AS width, 1080::INT AS height, "
        f"25.0::DOUBLE AS fps, 300.0::DOUBLE AS duration_s, true AS has_audio FROM range({-(-clips // CLIPS_A_VIDEO)}) t(i)"
    ).to_arrow_table()
    lake.ledger.append_arrow("videos", videos)
    for first in range(0, clips, 200_000):
        rows = engine.sql(
            f"SELECT printf('v%010d-%09d-%09d', i // {CLIPS_A_VIDEO}, i % {CLIPS_A_VIDEO} * 5000, i % {CLIPS_A_VIDEO} * 5000 + 5000) AS clip_id, "
            f"'default' AS preset, printf('v%010d', i // {CLIPS_A_VIDEO}) AS video_id, (i % {CLIPS_A_VIDEO} * 5)::DOUBLE AS start_s, "
            f"(i % {CLIPS_A_VIDEO} * 5 + 5)::DOUBLE AS end_s FROM range({first}, {min(clips, first + 200_000)}) t(i)"
        ).to_arrow_table()
        lake.ledger.append_arrow("clips", rows)
    metadata.refresh(lake)
    return lake


def score_nothing(lake: Lake, meter: Meter) -> int:
    """The score job's bookkeeping around a scorer that does nothing; returns the number of commits."""
    started = now()
    with meter.step("pending, first query"):
        pending = pending_clips(lake, FINGERPRINT, retry_failed=False)
    commits = 0
    for first in range(0, len(pending), ROWS_A_BATCH):
        ids = pa.array([clip["clip_id"] for clip in pending[first : first + ROWS_A_BATCH]], pa.string())
        value = {"sharpness": 1.0, "fingerprint": FINGERPRINT["technical"]}
        made = [{"clip_id": name.as_py(), "run_id": "r", "technical": value, "scored_at": started} for name in ids]
        rows = pa.Table.from_pylist(made, TABLES["scores"].schema)
        with meter.step("commits"):
            lake.ledger.append_arrow("scores", rows)
        commits += 1
    with meter.step("clip_metadata"):
        metadata.refresh(lake)
    with meter.step("compaction"):
        lake.ledger.compact("scores")
        metadata.keep_state(lake)
    with meter.step("pending, second query"):
        assert not pending_clips(lake, FINGERPRINT, retry_failed=False)
    return commits


def nothing_new(lake: Lake) -> dict[str, float]:
    """Seconds of verbs that have nothing to do, process start included; they cannot start Spark, whose master is nowhere."""
    took = {}
    for words in (["segment"], ["score", "--scorers", "technical"], ["filter", "--policy", "lite", "--save"]):
        command = [sys.executable, "-m", "jobs.cli", *words, "--lake", lake.place.root, "--quiet", "--master", "spark://127.0.0.1:1"]
        times = []
        for _ in range(2):
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, timeout=300)
            times.append(time.perf_counter() - started)
        took[words[0]] = max(times)
    return took


def mark_done(lake: Lake) -> None:
    """Let segmentation and scoring have seen everything, under the fingerprints that this installation wants."""
    from jobs import score, segment
    from jobs.arguments import verb_parser
    from udfs.registry import build
    from udfs.score_worker import ScoringPlan

    preset = segment.chosen_preset(lake, segment.configure(verb_parser(segment.JOB).parse_args([])))
    same = {"preset": preset.name, "outcome": "with_clips", "clips": CLIPS_A_VIDEO, "fingerprint": segment.segment_fingerprint(preset), "run_id": "n"}
    videos = lake.ledger.read("videos", ["video_id"])
    columns = {name: pa.array([value] * videos.num_rows) for name, value in same.items()}
    lake.ledger.append_arrow("segmentations", pa.table({"video_id": videos["video_id"], **columns}))
    metadata.refresh(lake)
    config = score.configure(verb_parser(score.JOB).parse_args(["--scorers", "technical"]))
    fingerprints = dict(ScoringPlan.of(build(["technical"])).fingerprints)
    record(lake, Summary("score", {"in": 0}), config, run_id="n", started=now(), depends_on=DEPENDS_ON, fingerprints=fingerprints)


@dataclass(frozen=True)
class Measured:
    """A size: seconds by step, commits and their share of a job, the most files that a table has in its newest version and in its folder, and
    seconds of verbs that have nothing to do."""

    clips: int
    wall_s: Mapping[str, float]
    cpu_s: Mapping[str, float]
    commits: int
    share: float
    files: int
    lying: int
    idle_s: Mapping[str, float]

    @property
    def micros(self) -> float:
        """CPU µs a clip."""
        return sum(self.cpu_s.values()) / self.clips * 1e6


def faults(measured: Sequence[Measured]) -> list[str]:
    """The limits that were passed, a sentence each."""
    found = []
    for one in measured:
        pending_s, slowest = one.cpu_s["pending, second query"], max(one.idle_s, key=lambda verb: one.idle_s[verb])
        found += [
            f"{one.clips:,} clips: {said}"
            for passed, said in (
                (one.share > COMMITS_SHARE, f"commits take {one.share:.2%} of a job, at most {COMMITS_SHARE:.0%} is wanted"),
                (pending_s > PENDING_CPU_S, f"the second pending query takes {pending_s:.1f} CPU s, at most {PENDING_CPU_S:g} are wanted"),
                (max(one.files, one.lying) > FILES, f"a table has {max(one.files, one.lying)} files, at most {FILES} are wanted"),
                (one.idle_s[slowest] >= NOTHING_NEW_S, f"{slowest} with nothing new takes {one.idle_s[slowest]:.1f} s, under {NOTHING_NEW_S:g} are wanted"),
            )
            if passed
        ]
    least, most = min(measured, key=lambda one: one.clips), max(measured, key=lambda one: one.clips)
    if most.micros > GROWTH * least.micros:
        found.append(f"a clip takes {most.micros:.0f} CPU µs at {most.clips:,} and {least.micros:.0f} at {least.clips:,}, {GROWTH:g} times is wanted")
    return found


def measure(size: int, batch_s: float) -> Measured:
    """One size, in a lake of its own."""
    with tempfile.TemporaryDirectory() as folder:
        meter = Meter()
        lake = make_lake(Path(folder, "lake"), size)
        commits = score_nothing(lake, meter)
        lying = max(data_files(lake, name) for name in TABLES if name != "samples")
        files = max(len(lake.ledger.files(name)) for name in TABLES if name != "samples")
        mark_done(lake)
        share = meter.wall_s["commits"] / (commits * batch_s)
        return Measured(size, meter.wall_s, meter.cpu_s, commits, share, files, lying, nothing_new(lake))


def main() -> None:
    """Measure each size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--batch-s", type=float, default=60.0)
    args = parser.parse_args()
    measured = [measure(size, args.batch_s) for size in map(int, args.sizes.split(","))]
    show(
        "Bookkeeping of `score` with a scorer that does nothing",
        ("clips", *(f"{step}, s wall / CPU" for step in STEPS), f"commits, share of a job at {args.batch_s:g} s a batch", "CPU µs a clip"),
        [
            (
                f"{one.clips:,}",
                *(f"{one.wall_s[step]:.2f} / {one.cpu_s[step]:.2f}" for step in STEPS),
                f"{one.share:.2%} of {one.commits}",
                f"{one.micros:.0f}",
            )
            for one in measured
        ],
    )
    show(
        "A verb with nothing new, s with process start; files",
        ("clips", "segment", "score", "filter", "files of the newest version, most", "files lying, most"),
        [(f"{one.clips:,}", *(f"{seconds:.1f}" for seconds in one.idle_s.values()), one.files, one.lying) for one in measured],
    )
    passed = faults(measured)
    print("\n".join(passed) or "within all limits")
    sys.exit(bool(passed))


if __name__ == "__main__":
    main()
