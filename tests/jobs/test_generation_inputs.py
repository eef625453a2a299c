"""Inputs of the driver's machine are put into a lake that is a store, once, under the path by which a removal knows them."""

from pathlib import Path

from inference.options import Options
from jobs.generation_inputs import in_store, own
from jobs.generation_plan import Request
from jobs.generation_table import Wish
from schemas import storage
from schemas.lake import Lake


def request(name: str, **inputs: str | None) -> Request:
    wish = Wish(f"row {name}", {"audio_path": None, "kps_path": None, **inputs}, {}, carried={"clip_id": "c", "ground_truth_uri": None})
    return Request(name, wish, Options(), f"s3a://lake-bucket/{name}.mp4", "generate-0", 1)


def test_a_lake_in_a_folder_leaves_inputs_where_they_lie(tmp_path):
    wanted = [request("one", reference_image_path=str(tmp_path / "face.jpg"))]
    assert in_store(Lake.at(str(tmp_path / "lake")), wanted) == wanted


def test_local_inputs_go_to_a_store_and_others_stay(s3_server, tmp_path: Path):
    face, lake = tmp_path / "dQw4w9WgXcQ" / "ä face.jpg", Lake.at("s3a://lake-bucket/lake")
    face.parent.mkdir()
    face.write_bytes(b"a face")
    remote, gone = "s3a://lake-bucket/sound.wav", str(tmp_path / "gone.jpg")
    first, second = in_store(lake, [request("one", reference_image_path=str(face), audio_path=remote), request("two", reference_image_path=gone)])
    there = first.wish.inputs["reference_image_path"]
    assert there.startswith("s3a://lake-bucket/lake/generations/inputs/") and there.endswith(str(face))
    assert storage.read_bytes(there) == b"a face"
    assert first.wish.inputs["audio_path"] == remote and second.wish.inputs["reference_image_path"] == gone
    assert in_store(lake, [request("one", reference_image_path=str(face))])[0].wish.inputs["reference_image_path"] == there
    row = {"reference_uri": there, "audio_uri": remote, "kps_uri": None, "ground_truth_uri": None}
    assert own(lake, [row]) == {there}
