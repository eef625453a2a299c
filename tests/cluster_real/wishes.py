"""A program for a driver's node: writes the table of videos to generate from a lake's samples and an export, wherever these lie.

`python -m tests.cluster_real.wishes LAKE EXPORT PLACE` puts portraits, the real videos and `wishes.csv` below PLACE.
"""

import csv
import io
import sys
import tempfile
from pathlib import Path

from jobs.demo_full import KEPT, MOST_VIDEOS, PORTRAIT_PX
from schemas import duck, storage
from schemas.lake import Lake
from udfs import media


def write_wishes(lake: Lake, export: str, place: str) -> None:
    """A wish for each of the first samples: the face as it was cropped for training, its first picture as portrait, the sound of its clip."""
    with duck.connect(lake.ledger) as engine:
        kept = engine.sql(KEPT, params=[export, MOST_VIDEOS]).to_arrow_table().to_pylist()
    rows = []
    for clip in kept:
        real, portrait = storage.at(place, f"{clip['clip_id']}.mp4"), storage.at(place, f"{clip['clip_id']}.jpg")
        with tempfile.TemporaryDirectory() as folder:
            video, picture = Path(folder, "real.mp4"), Path(folder, "portrait.jpg")
            video.write_bytes(clip["video"])
            media.still(video, 0.0, picture, width_px=PORTRAIT_PX)
            storage.put_file(video, real)
            storage.put_file(picture, portrait)
        labels = {name: clip[name] for name in ("clip_id", "language", "age_group", "gender", "ethnicity")}
        inputs = {"reference_image_path": portrait, "audio_path": clip["file"], "ground_truth_uri": real}
        rows.append({"generation_id": f"line-{clip['clip_id']}", **inputs, **labels})
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    storage.put_bytes(table.getvalue().encode(), storage.at(place, "wishes.csv"))


if __name__ == "__main__":
    lake, export, place = sys.argv[1:]
    write_wishes(Lake.at(lake), storage.address(export), storage.address(place))
