import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from jobs.training_snapshot import Selection, make_snapshot, shows_bench
from schemas.active_policy import make_active
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy_files import load
from schemas.views import verdicts_sql
from tests.small_lake import make_small_lake
from tests.small_samples import sample
from training.data import SampleStream, StreamSettings

SETTINGS = StreamSettings(frames=4, batch_per_rank=2, seed=1, workers=0, reference_margin=5)
LANGUAGES = {"good": "English", "restless": "German", "blurry": "English", "awful": "en", "nan": "German"}


@pytest.fixture
def lake(tmp_path) -> Lake:
    """The small lake with a sample of every scored clip; its policy keeps `good` and `restless`."""
    lake = make_small_lake(tmp_path / "lake")
    lake.ledger.append("samples", [sample(name, 20, language=language) for name, language in LANGUAGES.items()])
    return lake


@pytest.fixture
def judged(lake) -> Lake:
    policy = load("talkvid")
    make_active(lake.ledger, policy)
    from schemas.duck import connect

    with connect(lake.ledger) as engine:
        rows = engine.sql(verdicts_sql(policy, "duckdb", now().isoformat())).to_arrow_table()
    lake.ledger.append_arrow("verdicts", rows)
    return lake


def test_only_curated_clips_are_in_it_and_the_sum_adds_up(judged) -> None:
    made = make_snapshot(judged)
    assert made.snapshot.clip_ids == ("good", "restless")
    assert made.counts == {"samples": 5, "curated_out": 3, "filtered_out": 0, "bench_out": 0, "kept": 2}
    assert made.sentence.startswith("training on 2 of 5 samples (version ") and "3 not kept by the policy" in made.sentence
    assert made.snapshot.selection["policy"] == "talkvid" and made.snapshot.random
    with SampleStream(made.snapshot, SETTINGS) as stream:
        assert {key.clip_id for _ in range(3) for key in next(stream).samples} == {"good", "restless"}


def test_filters_choose_by_label_in_any_case_and_languages_by_code(judged) -> None:
    for values in (("english",), ("en",), ("EN", "fr")):
        assert make_snapshot(judged, Selection({"language": values})).snapshot.clip_ids == ("good",)
    assert make_snapshot(judged, Selection({"speaker_id": ("speaker of restless",)})).snapshot.clip_ids == ("restless",)
    with pytest.raises(MissingError, match="none of the 5 samples is left to train on: 3 not kept by the active policy, 2 left out by the filters"):
        make_snapshot(judged, Selection({"language": ("Thai",)}))
    with pytest.raises(UsageError, match="samples cannot be chosen by colour; by: language"):
        make_snapshot(judged, Selection({"colour": ("red",)}))


def test_clips_of_the_benchmarks_speakers_are_left_out(judged) -> None:
    row = {"clip_id": "good", "axis": "language", "group": "English", "rank": 1, "speaker_id": "1", "speaker_source": "manifest"}
    before = make_snapshot(judged).snapshot
    assert shows_bench(judged, before) is None
    judged.ledger.append("bench", [row])
    assert shows_bench(judged, before).startswith("2 of 2 clips show speakers of a benchmark that was made since the run began: ")
    with pytest.raises(MissingError, match="of the benchmark's speakers"):
        make_snapshot(judged)


def test_clips_that_might_show_the_benchmarks_speakers_are_told(judged) -> None:
    videos, scores = judged.ledger.read("videos"), judged.ledger.read("scores")
    nameless = [row | {"labels": row["labels"] | {"speaker_id": None}} for row in videos.to_pylist()]
    judged.ledger.overwrite("videos", pa.Table.from_pylist(nameless, videos.schema).to_reader())
    judged.ledger.overwrite("scores", scores.filter(pc.not_equal(scores["clip_id"], "restless")).to_reader())
    assert make_snapshot(judged).untold == 0, "there is no benchmark"
    judged.ledger.append("bench", [{"clip_id": "other-000000000-000005000", "axis": "language", "group": "English", "rank": 1, "speaker_id": "2"}])
    made = make_snapshot(judged)
    assert (made.counts["kept"], made.untold) == (2, 1) and "; of 1 nobody can tell if they show a speaker" in made.sentence


def test_older_version_is_pinned_when_asked_for(judged) -> None:
    version = make_snapshot(judged).snapshot.version
    judged.ledger.open("samples").delete("clip_id = 'good'")
    assert make_snapshot(judged).snapshot.clip_ids == ("restless",)
    assert make_snapshot(judged, Selection(version=version)).snapshot.clip_ids == ("good", "restless")
    with pytest.raises(MissingError, match="there is no version 99 of samples"):
        make_snapshot(judged, Selection(version=99))


def test_what_is_missing_is_told_in_one_sentence(tmp_path, lake) -> None:
    with pytest.raises(MissingError, match="no policy is active"):
        make_snapshot(lake)
    empty = make_small_lake(tmp_path / "empty")
    make_active(empty.ledger, load("talkvid"))
    with pytest.raises(MissingError, match="there are no samples yet: talkvid prepare"):
        make_snapshot(empty)


def test_samples_of_several_sizes_or_of_random_and_real_weights_do_not_mix(judged) -> None:
    judged.ledger.open("samples").delete("clip_id = 'restless'")
    judged.ledger.append("samples", [sample("restless", 20, side=128)])
    with pytest.raises(UsageError, match="several side_px"):
        make_snapshot(judged)
    judged.ledger.open("samples").delete("clip_id = 'restless'")
    judged.ledger.append("samples", [sample("restless", 20, fingerprint="prepare-v1-0")])
    with pytest.raises(UsageError, match="some samples were made with random weights"):
        make_snapshot(judged)


def test_files_that_were_vacuumed_or_lost_are_one_sentence_that_says_what_to_do(judged) -> None:
    old = judged.place.version("samples")
    judged.ledger.open("samples").delete("clip_id = 'good'")
    judged.ledger.open("samples").vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    newest = judged.place.version("samples")
    with pytest.raises(MissingError, match=f"files of version {old} of samples were deleted since by talkvid maintain: train on version {newest}"):
        make_snapshot(judged, Selection(version=old))
    Path(judged.ledger.files("samples")[0]).unlink()
    with pytest.raises(MissingError, match="is gone, though samples names it: bring it back, or delete .* and run talkvid prepare again"):
        make_snapshot(judged)
    shutil.rmtree(judged.place.table("samples"))
    judged.ledger.create()
    with pytest.raises(MissingError, match="there are no samples yet"):
        make_snapshot(judged)
