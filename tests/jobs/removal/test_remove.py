"""`talkvid remove`: nothing of the video is left anywhere, nothing of others is touched, and it cannot come back."""

import json
import tarfile
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import metadata, remove
from jobs.arguments import verb_parser
from jobs.evaluation_items import item_id_of
from jobs.remove import JOB
from schemas import storage, unfinished
from schemas.errors import BusyError, UsageError
from schemas.ids import media_name
from schemas.lake import Lake
from schemas.ledger import now
from schemas.tables import TABLES
from tests.jobs.removal.lake_of_two import CHANNEL, CLIPS, GONE, LAYOUTS, SPANS, STAYS, URL, files_holding, take_out
from udfs.sources.address import download_source
from udfs.sources.known import Known
from udfs.sources.source import Source


def needles(media: dict[str, Path]) -> list[bytes]:
    """What must not be found: the id, the address, the middle of the media."""
    content = media[GONE].read_bytes()
    return [GONE.encode(), URL.encode(), b"copy of it", content[len(content) // 2 :][:64]]


def cut_bytes(folder: Path) -> list[bytes]:
    """The middle of what was cut of the video that goes."""
    cut = [(folder / "talkvid" / "videos" / media_name(clip, "mp4")).read_bytes() for clip in CLIPS[GONE]]
    return [content[len(content) // 2 :][:64] for content in cut]


def test_the_search_sees_what_lies_compressed_in_parquet(tmp_path):
    one, other = (bytes(Random(seed).choices(range(16), k=4000)) for seed in (1, 2))
    rows = [{"clip_id": "c", "video": one, "parts": [{"name": "it's", "media": other}]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "part.parquet", compression="gzip", write_statistics=False)
    assert one[120:200] not in (tmp_path / "part.parquet").read_bytes()
    for needle in (one[120:200], other[120:200], b"it's"):
        assert files_holding(tmp_path, [needle]) == {"part.parquet"}
    assert files_holding(tmp_path, [b"something else"]) == set()


def all_rows(lake: Lake) -> dict[str, list[dict]]:
    return {name: sorted(lake.ledger.read(name).to_pylist(), key=repr) for name in TABLES}


def test_no_byte_of_it_is_left_outside_the_tombstone(here, lake, footage):
    for place in (here / "lake" / "tables" / "samples" / "part-0.parquet", here / "talkvid" / "videos" / "v_x.mp4", here / "generated" / f"{GONE[:4]}.mp4"):
        unfinished.beside(place).write_bytes(footage[GONE].read_bytes())
    wanted = [*needles(footage), *cut_bytes(here)]
    assert len(files_holding(here, wanted)) > 30
    assert any("/tables/samples/part-" in path for path in files_holding(here, needles(footage)[-1:])), "media in Parquet is not seen"
    before, others = all_rows(lake), {path: path.read_bytes() for path in here.rglob(f"v_{STAYS}*")}
    dry = take_out(lake, GONE, dry_run=True)
    assert all_rows(lake) == before
    summary = take_out(lake, GONE, reason="asked to")
    assert summary.results == dry.results
    assert summary.counts == {"in": 1, "found": dry.counts["found"], "removed": dry.counts["found"], "remaining": 0}
    left = files_holding(here, wanted)
    assert {path.split("/")[2] for path in left} == {"removals"}, left
    for name, rows in all_rows(lake).items():
        if name not in ("removals", "runs", "failures", "settings", "evaluated"):
            assert rows == [row for row in before[name] if GONE not in repr(row)], name
    assert [len(all_rows(lake)[name]) for name in ("generations", "evaluated")] == [1, 1]
    assert [path.name for path in (here / "generated").iterdir()] == [f"{STAYS[:4]}.mp4"]
    assert others == {path: path.read_bytes() for path in here.rglob(f"v_{STAYS}*")}
    assert [row["configuration"] for row in lake.ledger.read("runs").to_pylist() if row["run_id"] == "ingest-1"] == ['{"sources": ["(removed)", "/elsewhere"]}']


def test_exports_are_whole_without_it(here, lake):
    take_out(lake, URL)
    assert [record["clip_id"] for record in json.loads((here / "talkvid" / "filtered_video_clips.json").read_text())] == CLIPS[STAYS]
    assert [json.loads(line)["clip_id"] for line in (here / "hf" / "data" / "train" / "metadata.jsonl").open()] == CLIPS[STAYS]
    assert "2 clips" in (here / "hf" / "README.md").read_text()
    with tarfile.open(here / "webdataset" / "000000.tar") as tar:
        assert tar.getnames() == sorted(media_name(clip, kind) for clip in CLIPS[STAYS] for kind in ("json", "mp4"))
    assert {row["out"]: row["clip_id"][: len(STAYS)] for row in lake.ledger.read("exports").to_pylist()} == {str(here / layout): STAYS for layout in LAYOUTS}


def test_it_cannot_come_back_under_any_name(lake, footage):
    take_out(lake, channels=(CHANNEL,))
    tombstones = Known.of(lake.ledger).tombstones
    assert tombstones.name(Source(URL, is_download=True, video_id=GONE))
    assert tombstones.name(Source("https://youtu.be/another", is_download=True, provenance={"channel": CHANNEL}))
    described = {"removed": False, "sha256": next(iter(tombstones.sha256)), "source": {}}
    assert tombstones.cover(described)
    assert not tombstones.cover(described | {"sha256": "0" * 64})
    rows = lake.ledger.read("removals").to_pylist()
    assert sorted((row["video_id"], row["channel"]) for row in rows if row["video_id"]) == [(GONE, None)]
    assert all(row["applied_at"] for row in rows)


@pytest.mark.parametrize("moment", ["take_out", "_delete", "forget", "_applied"])
def test_an_interrupted_removal_is_finished_by_the_next(here, lake, footage, monkeypatch, moment):
    """Every step is let happen once or twice, then the process is as good as dead."""
    from jobs.removal import exported, history, rows

    wanted = [*needles(footage), *cut_bytes(here)]
    module = {"take_out": exported, "_delete": rows, "forget": history, "_applied": remove}[moment]
    whole, calls = getattr(module, moment), []

    def dying(*words):
        calls.append(1)
        if len(calls) == {"_delete": 4, "forget": 3}.get(moment, 1):
            raise KeyboardInterrupt
        return whole(*words)

    monkeypatch.setattr(module, moment, dying)
    with pytest.raises(KeyboardInterrupt):
        take_out(lake, GONE)
    monkeypatch.setattr(module, moment, whole)
    take_out(lake, GONE)
    left = files_holding(here, wanted)
    assert {path.split("/")[2] for path in left} == {"removals"}, left
    assert all(row["applied_at"] for row in lake.ledger.read("removals").to_pylist())
    assert take_out(lake, GONE).counts == {"in": 0, "found": 0, "removed": 0, "remaining": 0}


@pytest.mark.parametrize(("words", "wanted"), [([], False), (["--master", "local[2]"], False), (["--master", "spark://h:7077"], True)])
def test_machines_of_a_cluster_are_asked_to_sweep_and_no_session_starts_without_one(words, wanted):
    config = JOB.configure(verb_parser(JOB).parse_args([GONE, *words]))
    assert JOB.needs_spark(config) is wanted
    assert not JOB.needs_spark(JOB.configure(verb_parser(JOB).parse_args([GONE, "--dry-run", *words])))


def test_the_tables_serve_on_after_it(lake):
    take_out(lake, GONE)
    assert metadata.is_current(lake)
    assert metadata.refresh(lake) == 0
    lake.ledger.append("scores", [{"clip_id": CLIPS[STAYS][1], "run_id": "r2", "scored_at": now(), "technical": {"sharpness": 2.0, "fingerprint": "t"}}])
    assert metadata.behind(lake) == 1
    metadata.refresh(lake)
    assert [row["technical"]["sharpness"] for row in sorted(lake.ledger.read("clip_metadata").to_pylist(), key=lambda row: row["clip_id"])] == [1.0, 2.0]


def test_a_state_from_before_a_removal_does_not_stop_a_refresh(lake, monkeypatch):
    monkeypatch.setattr(metadata, "keep_state", lambda lake: None)
    take_out(lake, GONE)
    assert metadata.behind(lake) == 1
    assert metadata.refresh(lake) == 2


def test_what_remains_is_told_and_ends_with_status_4(here, lake, monkeypatch):
    from jobs.removal import exported

    monkeypatch.setattr(exported, "take_out", lambda found, target: None)
    failure = take_out(lake, GONE).failure
    assert failure.exit_status == 4
    assert f"export:{here / 'talkvid'}=" in str(failure)
    assert [row["applied_at"] for row in lake.ledger.read("removals").to_pylist()] == [None]


def test_a_report_outside_the_lake_is_found(lake, tmp_path):
    from jobs import report
    from jobs.report import ReportConfig

    page = tmp_path / "page.html"
    report.run(None, lake, ReportConfig(str(page)))
    assert CLIPS[GONE][0] in page.read_text()
    assert "reports=2" in take_out(lake, GONE).results.splitlines()
    assert not page.exists()


def test_a_video_the_lake_never_had_is_kept_out_too(lake):
    summary = take_out(lake, "https://example.org/never.mp4")
    assert summary.counts["in"] == 0
    assert Known.of(lake.ledger).tombstones.name(Source("https://example.org/never.mp4", is_download=True))


def test_a_tombstone_holds_no_signature_and_keeps_every_one_out(lake):
    take_out(lake, "https://example.org/never.mp4?sig=one")
    assert "sig=one" not in str(lake.ledger.read("removals").to_pylist())
    assert Known.of(lake.ledger).tombstones.name(download_source("https://example.org/never.mp4?sig=two"))


def test_neighbours_with_similar_ids_are_left_alone(lake):
    other = f"{GONE}_2"
    clip = {"clip_id": f"{other}-000000000-000000600", "preset": "default", "video_id": other, "start_s": 0.0, "end_s": 0.6}
    lake.ledger.append("clips", [clip])
    lake.ledger.append("runs", [{"run_id": "x", "verb": "x", "configuration": f"{other} {URL}&list=1", "complete": True}])
    take_out(lake, GONE)
    assert {row["video_id"] for row in lake.ledger.read("clips").to_pylist()} == {other, STAYS}
    assert [row["configuration"] for row in lake.ledger.read("runs").to_pylist() if row["run_id"] == "x"] == [
        f"{other} {URL.replace(GONE, '(removed)')}&list=1"
    ]


def test_what_is_called_after_a_clip_goes_with_it(here, lake, footage):
    """A wish's id, the page that shows it, and failures of making and of measuring what was made."""
    clip = CLIPS[GONE][0]
    wished, page = (f"demo-{clip}", f"line_{clip}-take2"), here / "evaluation.html"
    page.write_text(f"<html>{wished[1]}</html>")
    failed = {"stage": "generate", "fingerprint": "g", "code": "internal", "detail": "x", "at": now()}
    for entity in (*wished, f"/elsewhere/{wished[0]}.mp4", "line-7", str(here / "generated" / "line-7.mp4"), "line-8"):
        lake.ledger.append("failures", [failed | {"entity": entity}])
    row = {"run_id": "generate-2", "status": "failed", "fingerprint": "g", "created_at": now()}
    lake.ledger.append("generations", [row | {"generation_id": name, "clip_id": clip} for name in wished])
    made = {"generation_id": "line-7", "clip_id": clip, "status": "written", "output_uri": str(here / "generated" / "line-7.mp4")}
    lake.ledger.append("generations", [row | made, row | {"generation_id": "line-8"}])
    lake.ledger.append("runs", [{"run_id": "evaluate-1", "verb": "evaluate", "output_uris": [str(page)], "complete": True}])
    assert take_out(lake, GONE).counts["remaining"] == 0
    left = files_holding(here, needles(footage))
    assert {path.split("/")[2] for path in left} == {"removals"}, left
    assert {row["entity"] for row in lake.ledger.read("failures").to_pylist()} == {CLIPS[STAYS][1], "/elsewhere/third.mp4", "line-8"}


def test_what_was_measured_of_generations_with_random_weights_goes_beside_real_ones(here, lake):
    clip = CLIPS[GONE][0]
    row = {"run_id": "generate-2", "status": "written", "fingerprint": "g", "clip_id": clip, "created_at": now()}
    made = [
        row | {"generation_id": name, "output_uri": str(here / "generated" / f"{name}.mp4"), "model_fingerprint": model}
        for name, model in (("one", "random:0"), ("two", "a model"))
    ]
    lake.ledger.append("generations", made)
    stays = all_rows(lake)["evaluated"]
    items = [item_id_of(row) for row in lake.ledger.read("generations").to_pylist() if row["clip_id"] == clip]
    lake.ledger.append("evaluated", [{"item_id": item, "run_id": "e", "measured_at": now()} for item in items])
    assert take_out(lake, GONE).counts["remaining"] == 0
    left = all_rows(lake)["evaluated"]
    assert len(items) == 2 and len(left) == 1 and left[0] in stays


def test_a_video_whose_id_ends_with_the_id_of_another_stays_named(lake):
    other = f"my-{GONE}"
    about = {"sha256": "0" * 64, "width": 96, "height": 64, "duration_s": 1.2}
    lake.ledger.append("videos", [about | {"video_id": other, "uri": "/elsewhere/mine.mp4"}])
    lake.ledger.append("runs", [{"run_id": "x", "verb": "x", "configuration": f"{other}-000000000-000000600", "complete": True}])
    assert take_out(lake, GONE).counts["remaining"] == 0
    assert f"{other}-000000000-000000600" in [row["configuration"] for row in lake.ledger.read("runs").to_pylist()]


@pytest.mark.parametrize(
    "words",
    [[], ["no id at all!"], [CLIPS[STAYS][0]], [""], [GONE, ""], ["--channel", " "], ["."], ["/elsewhere"], ["/gone/"], ["s3a://b/c/"]]
    + [["footage"], ["footage-new"]],
)
def test_words_that_mean_no_video_are_refused(lake, tmp_path, monkeypatch, words):
    for name in ("footage", "footage-new"):  # the second one could be an id of YouTube
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        take_out(lake, *JOB.configure(verb_parser(JOB).parse_args(words)).words)
    assert lake.ledger.read("removals").num_rows == 0


def test_an_id_that_the_lake_knows_is_no_folder(lake, tmp_path, monkeypatch):
    (tmp_path / GONE).mkdir()
    monkeypatch.chdir(tmp_path)
    assert take_out(lake, GONE, dry_run=True).counts["in"] == 1


def test_no_file_of_a_table_is_deleted_once_the_lease_is_lost(lake, monkeypatch):
    """Another driver may have committed since: its files are none that a listing of before knows."""
    from jobs.removal import history
    from schemas import held

    class Lost:
        generation = 0

        checked = 0

        def check(self) -> None:
            self.checked += 1
            if self.checked > len(("vacuum", "commit before the checkpoint")):
                raise BusyError("taken over")

    before = {entry.uri for entry in storage.listed(lake.place.table("scores")) if "_delta_log" in entry.uri}
    held.hold(lake.place.root, Lost())
    try:
        with pytest.raises(BusyError):
            history.forget(lake, "scores")
    finally:
        held.let_go(lake.place.root)
    assert before <= {entry.uri for entry in storage.listed(lake.place.table("scores"))}


def test_no_id_stands_in_a_predicate(lake, monkeypatch):
    from schemas import delta_log

    monkeypatch.setattr("jobs.removal.history.forget", lambda lake, name: None)
    assert "history:videos=" in str(take_out(lake, GONE).failure)
    for name in ("videos", "scores", "clips", "exports"):
        table = lake.place.table(name)
        said = json.dumps([delta_log.commit_info(table, version) for version in range(lake.place.version(name) + 1)])
        assert "MERGE" in said
        assert GONE not in said.split("MERGE", 1)[1], name


assert SPANS
