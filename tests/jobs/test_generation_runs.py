"""A run of generate holds the videos of one state of its table and options, and evaluate averages no others with them."""

from pathlib import Path
from typing import Any

import pytest

from jobs.cli import Sessions, execute
from jobs.evaluate import JOB as EVALUATE
from jobs.evaluate import EvaluateConfig
from jobs.evaluation_items import Items, of_run
from jobs.generate import JOB
from jobs.generation_config import GenerateConfig
from schemas.lake import Lake
from tests.inference.inputs import QUICK, portrait_file, smoke_checkpoint, tone

SLOW, FAST = QUICK | {"num_inference_steps": 2}, QUICK | {"num_inference_steps": 1, "guidance_scale": 1.0}
HEAD = "reference_image_path,audio_path"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A model, a portrait and sounds a, b and c."""
    folder = tmp_path_factory.mktemp("inputs")
    smoke_checkpoint(folder / "trained")
    portrait_file(folder / "p.jpg")
    for name in "abc":
        tone(folder / f"{name}.wav", 0.4, 200 + ord(name))
    return folder


class Batch:
    """A table in a lake of its own, and the verb over it."""

    def __init__(self, spark: Any, inputs: Path, folder: Path) -> None:
        self._spark, self._inputs, self.out = spark, inputs, folder / "out"
        self.lake = Lake.at(str(folder / "lake"))
        self.lake.ledger.create()

    def make(self, sounds: str, options: dict[str, Any], *, ids: bool = False, **more: Any) -> tuple[str, dict[str, int]]:
        """Generate for these sounds; the run and the counts."""
        lines = [f"p.jpg,{name}.wav" + (f",g{name}" if ids else "") for name in sounds]
        table = self._inputs / f"{self.out.parent.name}.csv"
        table.write_text("\n".join([HEAD + (",generation_id" if ids else ""), *lines]) + "\n")
        config = GenerateConfig(str(self._inputs / "trained"), options, table=str(table), out=str(self.out), device="cpu", quiet=True, **more)
        spark = self._spark

        class Running(Sessions):
            def get(self):
                return spark

        summary = execute(JOB, self.lake, config, Running(None, {}))
        return summary.extra["run_id"], summary.counts

    def rows(self) -> int:
        """Rows of `generations`."""
        return self.lake.ledger.read("generations").num_rows

    def evaluated(self, run: str | None = None) -> Items:
        """What evaluate takes."""
        return of_run(self.lake, run)


@pytest.fixture
def batch(spark, inputs, tmp_path) -> Batch:
    return Batch(spark, inputs, tmp_path)


def sounds(items: Items) -> list[str]:
    return sorted(Path(item.audio or "").stem for item in items.items)


def test_other_options_make_another_run_and_only_its_videos_are_averaged(batch):
    slow, _ = batch.make("ab", SLOW)
    assert batch.make("ab", SLOW) == (slow, {"in": 0, "wanted": 2, "written": 0, "present": 2, "failed": 0}) and batch.rows() == 2
    fast, counts = batch.make("ab", FAST)
    assert fast != slow and counts["written"] == 2
    assert batch.evaluated().source == fast and sounds(batch.evaluated()) == ["a", "b"]
    assert batch.evaluated().left_out == (f"{fast} is the newest of 2 runs; 2 videos of others left out (--generations RUN, or all)",)
    assert sounds(batch.evaluated(slow)) == ["a", "b"] and not batch.evaluated(slow).left_out
    assert sounds(batch.evaluated("all")) == ["a", "a", "b", "b"] and batch.evaluated("all").left_out == ("the videos of 2 runs are averaged together",)
    again, counts = batch.make("ab", SLOW)
    assert counts["present"] == 2 and again not in (slow, fast), "what was asked for last is the newest run"
    assert {item.item_id for item in batch.evaluated().items} == {item.item_id for item in batch.evaluated(slow).items}, "nothing is measured twice"
    assert len(batch.evaluated("all").items) == 4
    before = batch.rows()
    assert batch.make("ab", SLOW)[0] == again and batch.rows() == before
    assert sum(row["seconds"] is not None for row in batch.lake.ledger.read("generations").to_pylist()) == 4, "making is told once"


def test_a_row_that_left_the_table_is_averaged_no_more_and_a_new_one_joins(batch):
    first, _ = batch.make("ab", FAST, limit=1)
    assert batch.make("ab", FAST)[0] == first, "a run that was cut short goes on"
    assert batch.make("abc", FAST)[0] == first and sounds(batch.evaluated()) == ["a", "b", "c"], "a table that grows keeps its run"
    second, counts = batch.make("bc", FAST)
    assert second != first and counts == {"in": 0, "wanted": 2, "written": 0, "present": 2, "failed": 0}
    assert sounds(batch.evaluated()) == ["b", "c"] and sounds(batch.evaluated(first)) == ["a", "b", "c"]
    assert batch.evaluated().left_out[0].startswith(f"{second} is the newest of 2 runs; 1 videos of others")


def test_videos_that_a_later_run_wrote_over_are_left_out_of_the_older_one(batch):
    slow, _ = batch.make("ab", SLOW, ids=True)
    fast, _ = batch.make("ab", FAST, ids=True, limit=1)
    assert sounds(batch.evaluated()) == ["a"], "half a run is not filled up with the videos of another"
    assert sounds(batch.evaluated(slow)) == ["b"]
    assert batch.evaluated(slow).left_out == ("1 videos left out: later ones were written over them",)
    assert batch.make("ab", FAST, ids=True)[0] == fast and sounds(batch.evaluated()) == sounds(batch.evaluated("all")) == ["a", "b"]
    told = execute(EVALUATE, batch.lake, EvaluateConfig(slow, metrics=("l1",), quiet=True), Sessions("spark://nowhere:1", {})).notes
    assert "evaluate: 2 videos left out: later ones were written over them" in told


def test_a_failure_stands_in_the_new_run_too_and_is_counted_once(batch, inputs):
    (inputs / "d.wav").unlink(missing_ok=True)
    first, _ = batch.make("abd", FAST)
    assert batch.evaluated().unmade == 1
    second, counts = batch.make("bd", FAST)
    assert second != first and counts == {"in": 0, "wanted": 2, "written": 0, "present": 1, "failed": 1}
    assert batch.evaluated().unmade == batch.evaluated("all").unmade == 1
    batch.make("bd", FAST, retry_failed=True)
    assert [row["attempt"] for row in batch.lake.ledger.read("failures").sort_by("at").to_pylist()] == [1, 2]
