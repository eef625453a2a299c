import itertools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from schemas.errors import MissingError, TalkvidError, UsageError
from tests.small_samples import COLUMNS, SIDE, WIDTH, X264, decoded, sample, snapshot_of
from training import row_feed, stream_work
from training.audio_windows import frame_windows, stretched
from training.data import SampleStream, StreamSettings
from training.face_masks import Box, box_mask
from training.keypoint_image import draw_keypoints
from training.parquet_row_groups import ParquetDatasetPiece
from training.processes import Processes
from training.sample import SampleSettings, choose
from training.snapshot import GONE, FileGoneError
from training.snapshot_source import SnapshotSource
from training.stages import read

MARGIN, FRAMES = 5, 4
SETTINGS = StreamSettings(frames=FRAMES, batch_per_rank=2, seed=1, workers=0, reference_margin=MARGIN)
STEPS = 16


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return [sample(f"clip-{number:02d}", 40 + number % 5, number % 4) for number in range(13)]


@pytest.fixture(scope="module")
def snapshot(rows, tmp_path_factory):
    return snapshot_of(tmp_path_factory.mktemp("samples"), rows)


def batches(snapshot, count=STEPS, rank=0, world=1, start=0, **settings):
    with SampleStream(snapshot, replace(SETTINGS, **settings), rank, world, start) as stream:
        return list(itertools.islice(stream, count))


@pytest.fixture(scope="module")
def undisturbed(snapshot):
    return batches(snapshot)


def assert_same(found, expected) -> None:
    assert [batch.step for batch in found] == [batch.step for batch in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.samples == other.samples
        assert all(torch.equal(value, other.tensors()[name]) for name, value in one.tensors().items())


def test_shapes_and_ranges_are_those_of_the_contract(undisturbed) -> None:
    batch = undisturbed[0]
    shapes = {name: tuple(value.shape) for name, value in batch.tensors().items()}
    assert shapes == {
        "targets": (2, 3, FRAMES, SIDE, SIDE),
        "references": (2, 3, SIDE, SIDE),
        "kps_images": (2, 3, FRAMES, SIDE, SIDE),
        "audio_windows": (2, FRAMES, 10, WIDTH),
        "lip_masks": (2, 1, FRAMES, SIDE // 8, SIDE // 8),
    }
    assert batch.targets.min() >= -1 and batch.targets.max() <= 1
    assert batch.kps_images.max() == 1 and 0.5 < batch.lip_masks.max() <= 1
    assert all(value.is_contiguous() for value in batch.tensors().values())


def test_every_tensor_is_what_the_row_says_and_one_flip_holds_for_all(undisturbed, rows) -> None:
    by_id = {row["clip_id"]: row for row in rows}
    flips = set()
    for batch in undisturbed:
        for place, key in enumerate(batch.samples):
            row, frames = by_id[key.clip_id], range(key.first_frame, key.first_frame + FRAMES)
            turn = slice(None, None, -1 if key.flipped else 1)
            pictures = torch.from_numpy(decoded(row)[:, :, turn].copy()).permute(0, 3, 1, 2) / 127.5 - 1
            assert torch.allclose(batch.targets[place].transpose(0, 1), pictures[list(frames)], atol=1e-6)
            assert torch.allclose(batch.references[place], pictures[key.reference_frame], atol=1e-6)
            points = np.float32(row["keypoints"]).reshape(-1, 5, 2)
            drawn = np.stack([draw_keypoints(points[frame], SIDE, SIDE) for frame in frames])
            drawn = drawn[:, :, ::-1, (1, 0, 2)] if key.flipped else drawn
            assert torch.allclose(batch.kps_images[place].permute(1, 2, 3, 0), torch.from_numpy(drawn.copy()) / 255)
            boxes = np.float32(row["lip_boxes"]).reshape(-1, 4)
            masks = np.stack([box_mask(Box(*boxes[frame]), (SIDE, SIDE), (SIDE // 8, SIDE // 8)) for frame in frames])
            assert torch.allclose(batch.lip_masks[place, 0], torch.from_numpy(masks[:, :, turn].copy()) / 255)
            features = torch.from_numpy(np.frombuffer(row["audio_features"], np.float16).reshape(-1, WIDTH).astype(np.float32))
            assert torch.equal(batch.audio_windows[place], frame_windows(stretched(features, row["frames"]), frames))
            flips.add(key.flipped)
    assert flips == {True, False}


def test_reference_is_far_from_the_targets_on_both_sides() -> None:
    settings, sides = SampleSettings(3, 20), set()
    for index in range(3000):
        key = choose("c", 90, settings, 0, index)
        before = key.first_frame - key.reference_frame - 1
        after = key.reference_frame - key.first_frame - 20
        assert max(before, after) >= 30 and 0 <= key.reference_frame < 90 and 0 <= key.first_frame <= 70
        sides.add((before >= 30, key.flipped))
    assert len(sides) == 4
    only = {(key.first_frame, key.reference_frame) for key in (choose("c", 51, settings, 0, index) for index in range(50))}
    assert only == {(0, 50), (31, 0)}


def test_draws_depend_on_seed_epoch_and_sample_alone() -> None:
    settings = SampleSettings(3, 4)
    np.random.seed(0)
    first = choose("c", 90, settings, 2, 17)
    np.random.seed(1)
    assert choose("c", 90, settings, 2, 17) == first
    assert len({choose("c", 90, replace(settings, seed=seed), 2, 17).first_frame for seed in range(9)}) > 3


def test_resume_at_every_step_gives_the_batches_that_would_have_come(snapshot, undisturbed) -> None:
    for start in range(STEPS - 1):
        assert_same(batches(snapshot, 2, start=start), undisturbed[start : start + 2])


@pytest.mark.parametrize("workers", [1, 2])
def test_spawned_workers_give_the_same_batches_also_after_a_resume(snapshot, undisturbed, workers) -> None:
    assert_same(batches(snapshot, 9, start=3, workers=workers), undisturbed[3:12])


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_the_samples_of_one(snapshot, world) -> None:
    alone = batches(snapshot, 8, batch_per_rank=6)
    shares = [batches(snapshot, 8, rank=rank, world=world, batch_per_rank=6 // world) for rank in range(world)]
    for step, whole in enumerate(alone):
        assert whole.samples == [key for share in shares for key in share[step].samples]
        assert torch.equal(whole.targets, torch.cat([share[step].targets for share in shares]))


def test_each_clip_comes_once_in_an_epoch(snapshot) -> None:
    keys = [key for batch in batches(snapshot, 13) for key in batch.samples]
    for epoch in (0, 1):
        assert sorted(key.clip_id for key in keys if key.epoch == epoch) == list(snapshot.clip_ids)


@pytest.fixture
def row_groups_read(monkeypatch) -> list:
    read, groups = ParquetDatasetPiece.read, []
    monkeypatch.setattr(
        ParquetDatasetPiece, "read", lambda piece, *args, **more: groups.append((str(piece.path), piece.row_group)) or read(piece, *args, **more)
    )
    return groups


@pytest.fixture
def petastorm_served(monkeypatch) -> list:
    """(row group, its clips) of what Petastorm's own worker was given to read and its own reader gave back."""
    from training import petastorm_compat  # noqa: F401, I001 - Petastorm can be imported after it
    from petastorm.arrow_reader_worker import ArrowReaderWorker
    from petastorm.reader import Reader

    process, give, asked, served = ArrowReaderWorker.process, Reader.__next__, [], []

    def processed(worker, piece_index, *args, **more):
        piece = worker._split_pieces[piece_index]
        asked.append((str(piece.path), piece.row_group))
        return process(worker, piece_index, *args, **more)

    def given(reader):
        group = give(reader)
        served.append((asked.pop(0), set(group.clip_id)))
        return group

    monkeypatch.setattr(ArrowReaderWorker, "process", processed)
    monkeypatch.setattr(Reader, "__next__", given)
    return served


def test_every_byte_comes_through_petastorm_each_row_group_once(snapshot, row_groups_read, petastorm_served, monkeypatch) -> None:
    monkeypatch.setattr(pq, "read_table", None)
    shown = {key.clip_id for batch in batches(snapshot, 7) for key in batch.samples}
    assert len(row_groups_read) == len(set(row_groups_read)) == 5
    assert {path for path, _ in row_groups_read} == {file.uri for file in snapshot.files}
    assert sorted(group for group, _ in petastorm_served) == sorted(row_groups_read)
    assert shown == set.union(*(clips for _, clips in petastorm_served))


def test_rows_held_in_memory_are_bounded_over_many_epochs(snapshot, monkeypatch) -> None:
    monkeypatch.setattr(stream_work, "SHORTEST_HORIZON", 8)
    monkeypatch.setattr(stream_work.StreamWork, "_horizon", lambda work: 8)
    held, keep = [], row_feed.RowFeed._keep
    monkeypatch.setattr(row_feed.RowFeed, "_keep", lambda feed, *args: (keep(feed, *args), held.append(len(feed._held))))
    keys = [key for batch in batches(snapshot, 40) for key in batch.samples]
    assert len(keys) == 80 and max(held) <= 8


def test_only_the_frames_of_a_sample_are_decoded(rows) -> None:
    from training.clip_frames import decode_runs

    into = np.empty((FRAMES + 1, SIDE, SIDE, 3), np.uint8)
    assert decode_runs(rows[0]["video"], (range(24, 28), range(36, 37)), 25.0, into) == 5
    assert decode_runs(rows[0]["video"], (range(20, 24), range(2, 3)), 25.0, into) == 12 + 3


@pytest.fixture
def frames_decoded(monkeypatch) -> list[int]:
    """How many frames PyAV gave of each video that was opened."""
    counts, opened = [], av.open

    class Counted:
        def __init__(self, *where, **how) -> None:
            self.container = opened(*where, **how)
            self.number = len(counts)
            counts.append(0)

        def __enter__(self):
            return self

        def __exit__(self, *error) -> None:
            self.container.close()

        def __getattr__(self, name):
            return getattr(self.container, name)

        def decode(self, *streams, **more):
            for frame in self.container.decode(*streams, **more):
                counts[self.number] += 1
                yield frame

    monkeypatch.setattr(av, "open", Counted)
    return counts


def test_a_stream_of_stage_1_decodes_two_frames_and_what_lies_between_each_and_its_key_frame(tmp_path, frames_decoded) -> None:
    """The scripts decoded all of a clip for each single frame."""
    snapshot = snapshot_of(tmp_path, [sample(f"clip-{number}", 120) for number in range(9)])
    settings = read(1, None, {"workers": "0", "validation_samples": "0"})
    keys = next(SnapshotSource(snapshot).batches(settings, Processes(), 0)).samples
    every = X264["g"]
    assert frames_decoded == [key.first_frame % every + 1 + key.reference_frame % every + 1 for key in keys]
    assert len(keys) == 8 and max(frames_decoded) <= 2 * every


def test_short_clips_are_left_out_and_counted(tmp_path) -> None:
    snapshot = snapshot_of(tmp_path, [sample("long", 12), sample("short", 9), sample("brief", 8)])
    with SampleStream(snapshot, SETTINGS) as stream:
        assert {key.clip_id for _ in range(3) for key in next(stream).samples} == {"long"}
        assert stream.sentences == ["2 clips are shorter than the 10 frames that a sample needs: left out"]


def test_no_clip_long_enough_is_told_in_one_sentence(snapshot) -> None:
    with pytest.raises(MissingError, match="none of the snapshot's 13 clips can be trained on: a sample needs 65 frames"):
        SampleStream(snapshot, replace(SETTINGS, reference_margin=60))


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"flip": 2.0}, {"workers": -1}, {"batch_per_rank": 0}])
def test_settings_that_cannot_be_are_refused(snapshot, wrong) -> None:
    with pytest.raises(UsageError):
        SampleStream(snapshot, replace(SETTINGS, **wrong))


def test_removed_clip_is_skipped_and_every_other_sample_stays(snapshot, undisturbed) -> None:
    places = tuple(GONE if clip_id == "clip-04" else place for clip_id, place in zip(snapshot.clip_ids, snapshot.places))
    with SampleStream(replace(snapshot, places=places), SETTINGS) as stream:
        assert stream.sentences == ["1 clips were removed since the snapshot was made: skipped"]
        found = list(itertools.islice(stream, STEPS))
    for one, other in zip(found, undisturbed):
        for key, before in zip(one.samples, other.samples):
            assert key == before if before.clip_id != "clip-04" else key.clip_id == "clip-05"


def cached(rows: list[dict]) -> list[dict]:
    random = np.random.default_rng(0)
    return [row | {"latents": random.normal(size=(row["frames"], 8, SIDE // 8, SIDE // 8)).astype(np.float16).tobytes()} for row in rows]


def test_cached_latents_take_the_pictures_place_and_are_never_flipped(rows, tmp_path) -> None:
    stored = cached(rows)
    by_id = {row["clip_id"]: row for row in stored}
    snapshot = snapshot_of(tmp_path, stored)
    for flip, said in ((0.5, ["no sample is mirrored, whatever flip says: the cached latents are of pictures as they are"]), (0.0, [])):
        with SampleStream(snapshot, replace(SETTINGS, latents=True, flip=flip)) as stream:
            assert stream.sentences == said
    for batch in batches(snapshot, 4, latents=True):
        assert batch.targets is None and batch.references is None
        for place, key in enumerate(batch.samples):
            moments = torch.from_numpy(np.frombuffer(by_id[key.clip_id]["latents"], np.float16).reshape(-1, 8, SIDE // 8, SIDE // 8).astype(np.float32))
            assert not key.flipped
            assert torch.equal(batch.target_moments[place].transpose(0, 1), moments[key.first_frame : key.first_frame + FRAMES])
            assert torch.equal(batch.reference_moments[place], moments[key.reference_frame])


def test_latents_that_are_not_there_are_told_at_once(snapshot) -> None:
    with pytest.raises(MissingError, match="--cache-latents"):
        SampleStream(snapshot, replace(SETTINGS, latents=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_file_that_is_gone_has_an_error_of_its_own(rows, tmp_path, workers) -> None:
    made = snapshot_of(tmp_path, rows[:3])
    Path(made.files[0].uri).unlink()
    with pytest.raises(FileGoneError, match="is gone: look the clips up again"):
        batches(made, 1, workers=workers)


def test_file_with_other_rows_has_the_same_error(rows, tmp_path) -> None:
    made = snapshot_of(tmp_path, rows[:3])
    pq.write_table(pa.Table.from_pylist(rows[4:7], schema=COLUMNS), made.files[0].uri)
    with pytest.raises(FileGoneError, match="look the clips up again"):
        batches(made, 1)


def test_damaged_file_is_told_in_one_sentence(rows, tmp_path) -> None:
    made = snapshot_of(tmp_path, rows[:3])
    path = Path(made.files[0].uri)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(TalkvidError, match="cannot be read, the Parquet file is damaged"):
        batches(made, 1)


def test_damaged_video_names_its_clip(rows, tmp_path) -> None:
    broken = rows[0] | {"video": rows[0]["video"][: len(rows[0]["video"]) // 2]}
    with pytest.raises(TalkvidError, match="^clip clip-00: its row in samples is damaged, prepare it anew"):
        batches(snapshot_of(tmp_path, [broken]), 3)


ALONE = """
import sys
sys.modules["pyspark"] = sys.modules["deepspeed"] = sys.modules["diffusers"] = None
import training.data, training.snapshot
assert not {"petastorm", "deltalake", "av"} & set(sys.modules), "imported where they are used"
"""


def test_stream_imports_without_spark_and_brings_petastorm_only_where_it_reads() -> None:
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", ALONE], cwd=root, check=True, timeout=120, env=os.environ | {"PYTHONPATH": str(root)})
