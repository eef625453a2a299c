"""Removal from a lake and exports in an object store: searched on the server's own disk."""

from pathlib import Path

from jobs import remove
from jobs.remove import RemoveConfig
from schemas import storage
from schemas.lease import lease
from tests.cluster_real.s3_server import S3Server
from tests.jobs.removal.lake_of_two import CLIPS, GONE, STAYS, URL, files_holding, make


def test_no_byte_of_it_is_left_on_the_server(s3_server: S3Server, footage: dict[str, Path]):
    lake = make("s3a://lake-bucket", footage)
    content = footage[GONE].read_bytes()
    wanted = [GONE.encode(), URL.encode(), content[len(content) // 2 :][:64]]
    assert len(files_holding(s3_server.folder, wanted)) > 30
    assert any("/tables/samples/part-" in path for path in files_holding(s3_server.folder, wanted[-1:])), "media in Parquet is not seen"
    with lease(lake.place, "remove"):
        summary = remove.run(None, lake, RemoveConfig((URL,)))
    assert summary.counts["remaining"] == 0
    left = files_holding(s3_server.folder, wanted)
    assert {path.split("/")[3] for path in left} == {"removals"}, left
    assert storage.exists(lake.place.at("generations", "inputs", "0123", "a.wav"))
    assert {row["clip_id"] for row in lake.ledger.read("exports").to_pylist()} == set(CLIPS[STAYS])
