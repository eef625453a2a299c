"""A lake of two people's videos in every table and in three exports, and a search that knows nothing of tables."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import export, metadata, remove
from jobs.evaluation_items import of_run
from jobs.export import ExportConfig
from jobs.remove import JOB, RemoveConfig
from jobs.summary import Summary
from schemas import storage
from schemas.active_policy import make_active
from schemas.ids import clip_id
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy import Policy, Rule
from schemas.row_groups import GroupedTable, write_file
from udfs.media import probe
from udfs.registered import digest

GONE, STAYS = "dQw4w9WgXcQ", "h0123456789abcdef"
URL, CHANNEL = f"https://www.youtube.com/watch?v={GONE}", "a channel"
SPANS = ((0.0, 0.6), (0.6, 1.2))
CLIPS = {video: [clip_id(video, *span) for span in SPANS] for video in (GONE, STAYS)}
LAYOUTS = ("talkvid", "webdataset", "hf")
POLICY = Policy("everything", (Rule("length", "duration_s", ">", 0.0),))


def make(base: Path | str, footage: dict[str, Path]) -> Lake:
    """The lake `base/lake`: the video that goes was downloaded into it, the other lies elsewhere. Exports: `base/<layout>`."""
    folder = str(base)
    lake = Lake.at(f"{folder}/lake")
    lake.ledger.create()
    media = storage.at(lake.place.media(GONE), "video.mp4")
    storage.put_file(footage[GONE], media)
    videos = [_video(GONE, footage[GONE]) | {"uri": media}, _video(STAYS, footage[STAYS])]
    for video in videos:
        lake.ledger.append("videos", [video])
    sources = {"bytes": 1, "mtime_ns": 1, "outcome": "registered", "seen_at": now()}
    lake.ledger.append("sources", [sources | {"uri": URL, "video_id": GONE}, sources | {"uri": str(footage[STAYS]), "video_id": STAYS}])
    lake.ledger.append("sources", [sources | {"uri": "/elsewhere/copy of it.mp4", "video_id": GONE, "outcome": "duplicate"}])
    for video, ids in CLIPS.items():
        about = {"preset": "default", "outcome": "with_clips", "clips": 2, "fingerprint": "f", "segmented_at": now()}
        lake.ledger.append("segmentations", [about | {"video_id": video}])
        lake.ledger.append("clips", [_clip(video, *span) for span in SPANS])
        lake.ledger.append("scores", [{"clip_id": ids[0], "run_id": "r", "scored_at": now(), "technical": {"sharpness": 1.0, "fingerprint": "t"}}])
        lake.ledger.append("bench", [{"clip_id": ids[0], "axis": "age", "group": "19-30", "rank": 1, "run_id": "r", "created_at": now()}])
        failed = {"stage": "score:head", "fingerprint": "h", "code": "internal", "detail": "x", "at": now()}
        lake.ledger.append("failures", [failed | {"entity": ids[1]}])
    lake.ledger.append("failures", [failed | {"entity": "/elsewhere/third.mp4", "detail": f"not tried after {URL}"}])
    samples = [{"clip_id": name, "video_id": video, "video": footage[video].read_bytes(), "frames": 30} for video, ids in CLIPS.items() for name in ids]
    table = GroupedTable(lake.ledger, "samples")
    table.commit([write_file(table.root, "samples", pa.Table.from_pylist(samples))])
    run = {"verb": "ingest", "configuration": f'{{"sources": ["{URL}", "/elsewhere"]}}', "complete": True, "started": now(), "finished": now()}
    lake.ledger.append("runs", [run | {"run_id": "ingest-1", "input_versions": [("videos", 2)]}, run | {"run_id": "ingest-2", "configuration": "{}"}])
    for video, ids in CLIPS.items():
        made = f"{folder}/generated/{video[:4]}.mp4"
        storage.put_file(footage[video], made)
        row = {"generation_id": f"g-{video[:4]}", "run_id": "generate-1", "reference_uri": f"{folder}/talkvid/videos/v_{ids[0]}.mp4", "status": "written"}
        own, everybodys = (lake.place.at("generations", "inputs", "0123", name) for name in (f"mine/{video}.mp4", "a.wav"))
        storage.put_file(footage[video], own)
        storage.put_bytes(b"a sound", everybodys)
        row |= {"output_uri": made, "fingerprint": "f", "audio_uri": everybodys, "ground_truth_uri": own, "created_at": now()}
        lake.ledger.append("generations", [row])
    evaluated = [{"item_id": item.item_id, "run_id": "e", "measured_at": now()} for item in of_run(lake, "all").items]
    lake.ledger.append("evaluated", evaluated)
    make_active(lake.ledger, POLICY)
    verdict = {"policy": POLICY.name, "policy_hash": POLICY.policy_hash, "kept": True, "failed_rules": [], "decided_at": now()}
    lake.ledger.append("verdicts", [verdict | {"clip_id": name} for ids in CLIPS.values() for name in ids])
    metadata.refresh(lake)
    for layout in LAYOUTS:
        _export(lake, ExportConfig(f"{folder}/{layout}", layout=layout, quiet=True))
    storage.put_bytes(f"<html>{CLIPS[GONE][0]}</html>".encode(), lake.place.at("report.html"))
    return lake


def take_out(lake: Lake, *words: str, **options) -> Summary:
    """Remove these words' videos, as the verb does."""
    config = RemoveConfig(words, **options)
    JOB.check(lake, config)
    return remove.run(None, lake, config)


def _export(lake: Lake, config: ExportConfig) -> None:
    """An export whose clips are cut in this process instead of in Spark's."""

    def here(spark: None, items: list[dict], worker: Any, **rest: Any) -> Iterator[pa.Table]:
        yield pa.Table.from_pylist([row for _, rows in worker(items) for row in rows], schema=rest["schema"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "in_batches", here)
        patch.setattr(export, "_cut", partial(_cut_here, export._cut))
        assert export.run(None, lake, config).counts["written"] == 4


def _cut_here(cut: Any, spark: None, *rest: Any) -> Any:
    return cut("no session is needed", *rest)


def _video(video: str, path: Path) -> dict:
    facts = probe(path)
    row = {"video_id": video, "uri": str(path), "sha256": digest(path), "bytes": facts.bytes, "width": facts.width, "height": facts.height}
    row |= {"fps": facts.fps, "duration_s": facts.duration_s, "has_audio": facts.has_audio, "ingested_at": now()}
    source = {"platform": "youtube", "url": URL, "channel": CHANNEL, "licence": "CC BY"} if video == GONE else {"platform": "file"}
    return row | {"source": source}


def _clip(video: str, start_s: float, end_s: float) -> dict:
    row = {"clip_id": clip_id(video, start_s, end_s), "preset": "default", "video_id": video, "start_s": start_s, "end_s": end_s}
    return row | {"start_frame": round(start_s * 25), "end_frame": round(end_s * 25), "shot_index": 0, "speech_ratio": 0.5}


def files_holding(folder: Path, needles: list[bytes]) -> set[str]:
    """Files below a folder in whose bytes, or in whose Parquet values, one of the needles stands; also those it names by itself."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file():
            content = [str(path.relative_to(folder)).encode(), path.read_bytes()]
            if path.suffix == ".parquet":
                content += [value for batch in pq.ParquetFile(path).iter_batches() for value in _values(batch.to_pydict())]
            if any(needle in part for needle in needles for part in content):
                found.add(str(path.relative_to(folder)))
    return found


def _values(value: Any) -> Iterator[bytes]:
    """The bytes of every value, however deep it lies."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        yield from _values(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _values(each)
    else:
        yield str(value).encode()
