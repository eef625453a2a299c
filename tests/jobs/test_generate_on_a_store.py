"""Videos whose inputs, table, lake and outputs lie in an object store."""

from pathlib import Path

import pyarrow as pa
import pytest

from inference.worker import ROWS, GenerationPlan, generate_items
from jobs.cli import Sessions, execute
from jobs.generate import JOB
from jobs.generation_batch import planned_batch, run_batch
from jobs.generation_config import GenerateConfig
from schemas import storage
from schemas.lake import Lake
from tests.inference.inputs import QUICK, portrait_file, smoke_checkpoint, tone

BASE = "s3a://lake-bucket"


def test_a_batch_in_a_store_is_made_there_and_found_again(s3_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    trained = smoke_checkpoint(tmp_path / "trained")
    storage.put_file(portrait_file(tmp_path / "p.png"), f"{BASE}/in/p.png")
    storage.put_file(tone(tmp_path / "s.wav", 0.5), f"{BASE}/in/s.wav")
    storage.put_bytes(f"generation_id,reference_image_path,audio_path\nv1,{BASE}/in/p.png,{BASE}/in/s.wav\n".encode(), f"{BASE}/in/wanted.csv")
    lake = Lake.at(f"{BASE}/lake")
    lake.ledger.create()
    config = GenerateConfig(str(trained), QUICK, table=f"{BASE}/in/wanted.csv", device="cpu", quiet=True)
    planned = planned_batch(lake, config)

    def here(spark: object, config: GenerateConfig, plan: object, worker_gib: float) -> object:
        items = [request.item() for request in planned.plan.pending]
        return (pa.Table.from_pylist(rows, schema=ROWS).to_pylist() for _, rows in generate_items(GenerationPlan(config.checkpoint_path), items))

    monkeypatch.setattr("jobs.generation_batch._made", here)
    assert run_batch(None, lake, config, planned).counts == {"in": 1, "wanted": 1, "written": 1, "present": 0, "failed": 0}
    (row,) = lake.ledger.read("generations").to_pylist()
    assert row["output_uri"].startswith(f"{BASE}/lake/generations/") and storage.size(row["output_uri"]) == row["bytes"] > 0
    assert execute(JOB, lake, config, Sessions("spark://nowhere:1", {})).counts == {"in": 0, "wanted": 1, "written": 0, "present": 1, "failed": 0}
