"""The layout of TalkVid-Bench: a folder for each subset, and in it one for each form of the clip (talkvid.md §6.2)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jobs.layouts.layout import Exported, Layout, json_bytes
from schemas.ids import media_name
from udfs.bench_cutting import FORMS, WITH_SOUND


class Bench(Layout):
    """`test_<subset>.json` with a record per clip, `videos/` (silent), `audios/`, `videos_crop_512x512/` (the face, silent), `videos_w_audios/`.

    `out` is the folder of one subset, called as its axis.
    """

    name = "bench"
    cut_folder = WITH_SOUND

    def __init__(self, out: Path, *, media: bool = True, shard_size: int = 1) -> None:
        super().__init__(out, media=media, shard_size=shard_size)
        self.index = (f"test_{out.name}.json",)

    def present(self, rows: Sequence[Exported]) -> set[str]:
        return {row["clip_id"] for row in rows if row["file"] and self.size(row["file"]) == row["bytes"]}

    def published(self) -> bool:
        return self.at(self.index[0]).is_file()

    def publish(self, records: Iterable[dict[str, Any]], files: dict[str, str | None]) -> dict[str, tuple[str | None, int | None]]:
        lines = [json_bytes(record | self._paths(record["clip_id"])) for record in records]
        self.keep(self.index[0], b"[\n" + b",\n".join(lines) + b"\n]\n" if lines else b"[]\n")
        return {clip_id: (file, self.size(file) if file else None) for clip_id, file in files.items()}

    def drop(self, rows: Iterable[Exported]) -> None:
        for row in rows:
            for folder, extension in FORMS.items():
                self.at(f"{folder}/{media_name(row['clip_id'], extension)}").unlink(missing_ok=True)

    def _paths(self, clip_id: str) -> dict[str, str | None]:
        """Published keys of the files, below the subset's folder; null for a form that the clip has not."""
        found = {folder: f"{folder}/{media_name(clip_id, extension)}" for folder, extension in FORMS.items()}
        keys = {"video-path": "videos", "audio-path": "audios", "video-crop-path": "videos_crop_512x512", "video-with-audio-path": WITH_SOUND}
        return {key: found[folder] if self.size(found[folder]) >= 0 else None for key, folder in keys.items()}
