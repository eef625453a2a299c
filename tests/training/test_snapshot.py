from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch

from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from tests.small_samples import decoded, in_lake, sample, snapshot_of
from training.data import SampleStream, StreamSettings
from training.snapshot import GONE, FileGoneError, Snapshot

SETTINGS = StreamSettings(frames=4, batch_per_rank=2, seed=1, workers=0, reference_margin=5)
IDS = [f"clip-{number}" for number in range(6)]


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Six clips in two files of the table, written by two commits."""
    lake = Lake.at(str(tmp_path / "my lake"))
    lake.ledger.create()
    for ids in (IDS[:3], IDS[3:]):
        lake.ledger.append("samples", [sample(clip_id, 20) for clip_id in ids])
    return lake


def shown(snapshot: Snapshot, steps: int = 12) -> list:
    with SampleStream(snapshot, SETTINGS) as stream:
        return [key for _ in range(steps) for key in next(stream).samples]


def test_snapshot_comes_back_from_its_file(tmp_path) -> None:
    made = replace(snapshot_of(tmp_path, [sample("a", 20), sample("b", 20)]), selection={"policy": "lite"})
    made.write(tmp_path / "snapshot.json")
    assert Snapshot.read(tmp_path / "snapshot.json") == made
    assert made.random and not made.gone and [path.name for path in tmp_path.glob(".half*")] == []


def test_what_is_no_snapshot_is_told_in_one_sentence(tmp_path) -> None:
    with pytest.raises(MissingError, match="there is no snapshot"):
        Snapshot.read(tmp_path / "absent.json")
    for text in ("{", "[]", '{"format": 0}'):
        (tmp_path / "other.json").write_text(text)
        with pytest.raises(UsageError, match="is not a snapshot"):
            Snapshot.read(tmp_path / "other.json")


def test_deleted_clips_never_reach_a_batch_and_the_others_stay_what_they_were(lake) -> None:
    before = in_lake(lake)
    undisturbed = shown(before)
    lake.ledger.open("samples").delete("clip_id = 'clip-1'")
    after = before.resolved(lake.ledger)
    assert after.gone == ("clip-1",) and after.version > before.version and after.clip_ids == before.clip_ids
    found = shown(after)
    assert {key.clip_id for key in found} == set(IDS) - {"clip-1"}
    assert all(one == other for one, other in zip(found, undisturbed) if other.clip_id != "clip-1")


def test_updated_clips_are_read_as_they_are_now(lake) -> None:
    before = in_lake(lake)
    lake.ledger.open("samples").update(predicate="clip_id = 'clip-2'", updates={"language": "'German'"})
    lake.ledger.replace("samples", _table([sample("clip-4", 20, seed=3)]), "clip_id = 'clip-4'")
    after = before.resolved(lake.ledger)
    assert not after.gone and len(set(after.places)) == 6
    assert {key.clip_id for key in shown(after)} == set(IDS)
    new, found = decoded(sample("clip-4", 20, seed=3)), 0
    with SampleStream(after, replace(SETTINGS, flip=0.0)) as stream:
        for batch in islice(stream, 12):
            for key, targets in zip(batch.samples, batch.targets):
                if key.clip_id == "clip-4":
                    pictures = torch.from_numpy(new[key.first_frame : key.first_frame + 4]).permute(3, 0, 1, 2) / 127.5 - 1
                    torch.testing.assert_close(targets, pictures, rtol=0, atol=1e-6)
                    found += 1
    assert found == 4


def _table(rows):
    import pyarrow as pa

    from schemas.tables import TABLES

    return pa.Table.from_pylist(rows, schema=TABLES["samples"].schema)


def test_compaction_and_vacuum_change_no_batch(lake) -> None:
    before = in_lake(lake)
    undisturbed = shown(before)
    table = lake.ledger.open("samples")
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    with pytest.raises(FileGoneError, match="is gone"):
        shown(before)
    after = before.resolved()
    assert len(after.files) == 1 < len(before.files)
    assert shown(after) == undisturbed


def test_of_two_rows_of_a_clip_the_newest_counts(lake) -> None:
    lake.ledger.append("samples", [sample("clip-0", 24, seed=2)])
    made = in_lake(lake)
    assert sorted(made.clip_ids) == IDS
    assert made.frames[made.clip_ids.index("clip-0")] == 24


def test_older_version_is_read_as_it_was(lake) -> None:
    before = in_lake(lake)
    lake.ledger.open("samples").delete("clip_id <> 'clip-0'")
    assert before.resolved(lake.ledger, before.version) == before


def test_nothing_left_is_told_in_one_sentence(lake) -> None:
    before = in_lake(lake)
    lake.ledger.open("samples").delete()
    with pytest.raises(MissingError, match="none of the snapshot's 6 clips is left"):
        before.resolved(lake.ledger)


def test_order_of_clips_does_not_depend_on_names_of_files(lake, tmp_path) -> None:
    other = Lake.at(str(tmp_path / "other"))
    other.ledger.create()
    for ids in (IDS[3:], IDS[:3]):
        other.ledger.append("samples", [sample(clip_id, 20) for clip_id in ids])
    one, two = in_lake(lake), in_lake(other)
    assert (one.clip_ids, one.units) == (two.clip_ids, two.units)
    assert GONE not in one.places and all(Path(file.uri).exists() for file in one.files)
