"""Lakes whose tables were made before some columns were declared, or have columns that this version does not know."""

from dataclasses import replace

import pyarrow as pa
import pytest

from jobs import filter as filter_verb
from jobs import metadata
from jobs.cli import run_verb
from jobs.pending import pending_clips
from jobs.removal.rows import TargetRows
from jobs.removal.target import Target
from jobs.sql_spark import SparkEngine
from schemas import duck
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy_files import load
from schemas.row_groups import GroupedTable, write_file
from schemas.table import column
from schemas.tables import TABLES
from schemas.views import curated_sql, funnel_sql
from tests.older_lake import declared_before
from tests.small_lake import CLIPS, make_small_lake

OLDER = {
    "scores": ("sync", "dover.overall", "head.faces.score"),
    "clip_metadata": ("sync", "dover.overall", "channel", "caption"),
    "clips": ("caption",),
    "samples": ("lip_source",),
    "exports": ("policy_hash",),
}
SCORERS = {"dover": "dover-v1-0", "sync": "sync-v1-0"}
LATER = {"clip_id": "blurry", "run_id": "score-2", "scored_at": None, "sync": {"confidence": 5.0, "fingerprint": "sync-v1-0"}}
FACES = [{"time_s": 0.0, "score": 0.5}]


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Six clips, scored before there was a scorer `sync`."""
    with declared_before(**OLDER):
        lake = make_small_lake(tmp_path / "lake")
        lake.ledger.append("exports", [{"out": "/out", "clip_id": "good", "file": "a.mp4"}])
        face = [{"time_s": 1.0, "box": [0.0, 0.0, 1.0, 1.0]}]
        lake.ledger.append("scores", [{"clip_id": "nan", "run_id": "score-0", "scored_at": now(), "head": {"faces": face, "fingerprint": "head-v1-0"}}])
        metadata.refresh(lake)
    return lake


def added(lake: Lake) -> None:
    """Rows of a scorer, and fields of another, that came with the new columns."""
    head = {"faces": FACES, "fingerprint": "head-v1-0"}
    row = LATER | {"scored_at": now(), "dover": {"dover_scores": 4.0, "overall": 0.5, "fingerprint": "dover-v1-0"}, "head": head}
    lake.ledger.append("scores", [row])


def test_new_columns_are_added_without_rewriting_a_file(lake):
    files = {name: set(lake.ledger.files(name)) for name in OLDER}
    lake.ledger.create()
    assert files == {name: set(lake.ledger.files(name)) for name in OLDER}
    for name in OLDER:
        opened = lake.ledger.open(name)
        stored = pa.schema(opened.schema().to_arrow())
        assert set(stored.names) == set(TABLES[name].schema.names)
        for field in TABLES[name].schema:
            assert stored.field(field.name).metadata[b"comment"] == field.metadata[b"comment"]
        configuration = opened.metadata().configuration
        assert TABLES[name].properties.items() <= configuration.items()
        assert {f"delta.constraints.{check}" for check in TABLES[name].checks} <= configuration.keys()
    overall = pa.schema(lake.ledger.open("scores").schema().to_arrow()).field("dover").type.field("overall")
    assert overall.metadata[b"comment"].startswith(b"fused score")


def test_tables_that_have_all_columns_get_no_commit(lake):
    assert {"scores", "clip_metadata", "clips", "samples", "exports"} == lake.ledger.create()
    versions = lake.ledger.versions(list(TABLES))
    assert lake.ledger.create() == set()
    assert lake.ledger.versions(list(TABLES)) == versions


def test_new_columns_are_no_new_input(lake):
    before = lake.place.version("clips")
    lake.ledger.create()
    assert lake.place.version("clips") > before == lake.place.data_version("clips", before)


@pytest.mark.parametrize("grown", [False, True])
def test_clips_are_pending_for_the_new_scorer_and_not_for_the_others(lake, grown):
    if grown:
        lake.ledger.create()
        metadata.refresh(lake)
    scored = {clip["clip_id"]: clip["scorers"] for clip in pending_clips(lake, SCORERS, retry_failed=False, with_head=True)}
    assert scored == {clip: ["dover", "sync"] if clip == "unscored" else ["sync"] for clip in CLIPS}


def test_scores_of_old_and_new_files_stand_side_by_side(lake):
    lake.ledger.create()
    added(lake)
    metadata.refresh(lake)
    rows = {row["clip_id"]: row for row in lake.ledger.read("clip_metadata").to_pylist()}
    assert (rows["blurry"]["sync"]["confidence"], rows["blurry"]["dover"]["overall"]) == (5.0, 0.5)
    assert (rows["good"]["sync"], rows["good"]["dover"]["overall"], rows["good"]["dover"]["dover_scores"]) == (None, None, 8.0)
    assert [clip["clip_id"] for clip in pending_clips(lake, {"sync": "sync-v1-0"}, retry_failed=False)] == [clip for clip in CLIPS if clip != "blurry"]
    faces = {row["clip_id"]: row["head"]["faces"] for row in lake.ledger.read("scores").to_pylist() if row["head"] and row["head"]["faces"]}
    assert (faces["blurry"][0]["score"], faces["nan"][0]["score"]) == (0.5, None)


def test_new_columns_of_clip_metadata_are_filled_from_what_the_videos_tell(lake):
    assert lake.ledger.read("clip_metadata", ["channel"])["channel"].null_count == len(CLIPS)
    lake.ledger.create()
    assert metadata.refresh(lake) == len(CLIPS)
    assert set(lake.ledger.read("clip_metadata")["channel"].to_pylist()) == {"a channel"}
    assert metadata.refresh(lake) == 0


@pytest.mark.parametrize("state", ["not grown", "grown", "grown and scored"])
@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_sql_shows_all_declared_columns(request, lake, engine, state):
    if state != "not grown":
        lake.ledger.create()
    if state == "grown and scored":
        added(lake)
        metadata.refresh(lake)
    if engine == "duckdb":
        connection = duck.connect(lake.ledger)
        ask = lambda query: connection.sql(query).to_arrow_table()
    else:
        spark = SparkEngine(request.getfixturevalue("spark"), lake)
        ask = lambda query: spark.answer(query).read_all()
    scored = 1 if state == "grown and scored" else 0
    assert ask("SELECT count(*) AS n FROM clip_metadata WHERE sync.confidence > 1").to_pylist() == [{"n": scored}]
    assert ask("SELECT count(*) AS n FROM clip_metadata WHERE dover.overall > 0.1").to_pylist() == [{"n": scored}]
    assert ask(
        "SELECT count(head.faces[0].score) AS n FROM scores" if engine == "spark" else "SELECT count(head.faces[1].score) AS n FROM scores"
    ).to_pylist() == [{"n": scored}]
    assert set(ask("SELECT * FROM clip_metadata").column_names) == set(TABLES["clip_metadata"].schema.names)
    assert ask("SELECT policy_hash, file FROM exports").to_pylist() == [{"policy_hash": None, "file": "a.mp4"}]
    assert ask("SELECT count(*) AS n FROM clips WHERE caption IS NULL").to_pylist() == [{"n": len(CLIPS)}]
    if engine == "spark":
        told = {row["col_name"]: row["comment"] for row in ask("DESCRIBE clip_metadata").to_pylist()}
        assert told["sync"].startswith("newest sync scores")


def test_tables_of_a_lake_in_a_store_grow_too(s3_server):
    with declared_before(**OLDER):
        lake = make_small_lake("s3a://lake-bucket/older")
    assert duck.connect(lake.ledger).execute("SELECT count(*) FROM clip_metadata WHERE sync IS NULL").fetchall() == [(len(CLIPS),)]
    lake.ledger.create()
    added(lake)
    metadata.refresh(lake)
    with duck.connect(lake.ledger) as engine:
        assert engine.execute("SELECT sync.confidence, dover.overall, channel FROM clip_metadata WHERE sync IS NOT NULL").fetchall() == [
            (5.0, 0.5, "a channel")
        ]
    assert len(pending_clips(lake, {"sync": "sync-v1-0"}, retry_failed=False)) == len(CLIPS) - 1


def test_views_and_funnel_work_before_the_tables_have_grown(lake):
    policy = load("talkvid")
    engine = duck.connect(lake.ledger, policy)
    assert engine.execute(funnel_sql(policy)).fetchall()[-1][6] == 2
    assert engine.execute(curated_sql(policy)).fetchall() == []


def test_filter_makes_the_tables_grow_and_shows_what_the_videos_tell(lake, capsys):
    assert run_verb(filter_verb.JOB, ["--policy", "talkvid", "--lake", lake.place.root]) == 0
    assert "channel" not in lake.ledger.open("clip_metadata").to_pyarrow_table().column_names
    assert run_verb(filter_verb.JOB, ["--policy", "talkvid", "--save", "--lake", lake.place.root]) == 0
    assert "kept=2" in capsys.readouterr().out
    assert set(lake.ledger.open("clip_metadata").to_pyarrow_table()["channel"].to_pylist()) == {"a channel"}


@pytest.mark.parametrize("grown", [False, True])
def test_ledger_reads_all_declared_columns(lake, grown):
    if grown:
        lake.ledger.create()
    for name in OLDER:
        assert set(lake.ledger.read(name).column_names) == set(TABLES[name].schema.names)
    rows = lake.ledger.read("exports", ["policy_hash"])
    assert rows.to_pylist() == [{"policy_hash": None}]


def test_column_that_this_version_does_not_know_stays(lake):
    with pytest.MonkeyPatch.context() as newer:
        for name, field in {"removals": "by_whom", "clip_metadata": "mood", "settings": "why", "scores": "beauty"}.items():
            schema = TABLES[name].schema.append(column(field, pa.string(), "of a newer version"))
            newer.setitem(TABLES, name, replace(TABLES[name], schema=schema))
        lake.ledger.create()
        lake.ledger.append("removals", [{"video_id": "x", "by_whom": "me"}])
        lake.ledger.append("scores", [{"clip_id": "good", "run_id": "r", "scored_at": now(), "beauty": "b"}])
    lake.ledger.create()
    added(lake)
    metadata.refresh(lake)
    lake.ledger.set("a", "b")
    lake.ledger.append("clips", [{"clip_id": "late", "preset": "default", "video_id": "v", "start_s": 50.0, "end_s": 55.0}])
    metadata.refresh(lake)
    lake.ledger.overwrite("removals", lake.ledger.read("removals").to_reader())
    assert lake.ledger.read("removals").to_pylist()[0]["by_whom"] == "me"
    assert "mood" in lake.ledger.read("clip_metadata").column_names
    assert "b" in lake.ledger.read("scores")["beauty"].to_pylist()
    with duck.connect(lake.ledger) as engine:
        assert engine.execute("SELECT by_whom FROM removals").fetchall() == [("me",)]
        assert engine.execute("SELECT count(*) FROM clip_metadata WHERE mood IS NULL").fetchall() == [(len(CLIPS) + 1,)]


def test_rows_that_name_a_removed_video_are_rewritten_with_the_columns_they_have(lake):
    lake.ledger.append(
        "failures", [{"entity": "other", "stage": "score:dover", "fingerprint": "f", "code": "internal", "detail": "v.mp4 of http://x/dQw4w9WgXcQ"}]
    )
    lake.ledger.create()
    lake.ledger.append("exports", [{"out": "/out", "clip_id": "nan", "file": "dQw4w9WgXcQ.mp4", "policy_hash": "h"}])
    target = Target(videos=({"video_id": "dQw4w9WgXcQ", "sha256": None, "uri": None, "source": None},))
    TargetRows(lake, target).remove()
    rows = {row["clip_id"]: row for row in lake.ledger.read("exports").to_pylist()}
    assert (rows["good"]["policy_hash"], rows["nan"]["policy_hash"]) == (None, "h")
    assert "dQw4w9WgXcQ" not in rows["nan"]["file"]


def test_samples_of_before_and_after_are_joined_into_one_file(tmp_path):
    with declared_before(samples=("lip_source",)):
        lake = Lake.at(str(tmp_path))
        lake.ledger.create()
        table = GroupedTable(lake.ledger, "samples")
        table.commit([write_file(table.root, "samples", pa.table({"clip_id": ["a"], "fps": [25.0]}))])
    lake.ledger.create()
    table.commit([write_file(table.root, "samples", pa.table({"clip_id": ["b"], "lip_source": ["dlib68"]}))])
    table.level()
    rows = {row["clip_id"]: row for row in lake.ledger.read("samples", ["clip_id", "fps", "lip_source"]).to_pylist()}
    assert rows == {"a": {"clip_id": "a", "fps": 25.0, "lip_source": None}, "b": {"clip_id": "b", "fps": None, "lip_source": "dlib68"}}
    assert len(lake.ledger.files("samples")) == 1


def test_constraint_on_a_new_column_comes_with_it_and_old_rows_stay(lake, monkeypatch):
    newer = replace(
        TABLES["exports"],
        schema=TABLES["exports"].schema.append(column("copies", pa.int32(), "how many")),
        checks={"some": "copies > 0"},
    )
    monkeypatch.setitem(TABLES, "exports", newer)
    lake.ledger.create()
    assert "delta.constraints.some" in lake.ledger.open("exports").metadata().configuration
    lake.ledger.append("exports", [{"out": "/out", "clip_id": "nan", "file": "b.mp4", "copies": 1}])
    with pytest.raises(Exception, match="(?i)check|constraint|violat|invalid"):
        lake.ledger.append("exports", [{"out": "/out", "clip_id": "bad", "file": "c.mp4", "copies": 0}])
