"""The layout of TalkVid-Bench: a folder for each subset, and in it one for each form of the clip (talkvid.md §6.2)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jobs.layouts.layout import Exported, Layout, json_bytes
from schemas import storage
from schemas.ids import media_name
from udfs.bench_cutting import FACES, FORMS, WITH_SOUND

KEYS = {"video-path": "videos", "audio-path": "audios", "video-crop-path": FACES, "video-with-audio-path": WITH_SOUND}
"""Key of a record to the folder of the form whose path, or null, it holds."""


class Bench(Layout):
    """`test_<subset>.json` with a record per clip, `videos/` (silent), `audios/`, `videos_crop_512x512/` (the face, silent), `videos_w_audios/`.

    `out` is the folder of one subset, called as its axis.
    """

    name = "bench"
    cut_folder = WITH_SOUND

    def __init__(self, out: Path | str, *, media: bool = True, shard_size: int = 1) -> None:
        super().__init__(out, media=media, shard_size=shard_size)
        self.index = (f"test_{str(out).rpartition('/')[2]}.json",)

    def present(self, rows: Sequence[Exported]) -> set[str]:
        """As `Layout.present`, told by the form with sound, which is written last."""
        held = self.sizes(row["file"] for row in rows if row["file"])
        return {row["clip_id"] for row in rows if row["file"] and held.get(row["file"]) == row["bytes"]}

    def published(self) -> bool:
        """As `Layout.published`."""
        return self.size(self.index[0]) >= 0

    def publish(self, records: Iterable[dict[str, Any]], files: dict[str, str | None]) -> dict[str, tuple[str | None, int | None]]:
        """As `Layout.publish`; the paths of forms that a clip has not are null."""
        held = self.sizes(file for clip_id in files for file in _forms(clip_id).values())
        lines = [json_bytes(record | {key: file if file in held else None for key, file in _forms(record["clip_id"]).items()}) for record in records]
        self.keep(self.index[0], b"[\n" + b",\n".join(lines) + b"\n]\n" if lines else b"[]\n")
        return {clip_id: (file, held.get(file, -1) if file else None) for clip_id, file in files.items()}

    def drop(self, rows: Iterable[Exported]) -> None:
        """As `Layout.drop`, all forms of each clip."""
        for row in rows:
            for file in _forms(row["clip_id"]).values():
                storage.delete(self.address(file))


def _forms(clip_id: str) -> dict[str, str]:
    """Published keys of a clip's files, and where they lie below the subset's folder."""
    return {key: f"{folder}/{media_name(clip_id, FORMS[folder])}" for key, folder in KEYS.items()}
