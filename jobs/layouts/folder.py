"""Layouts with one file per clip: TalkVid's own, and the Hugging Face video folder."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from jobs.layouts.card import dataset_card
from jobs.layouts.layout import Exported, Layout, beside, json_bytes


class _OneFilePerClip(Layout):
    """What both have in common."""

    def present(self, rows: Sequence[Exported]) -> set[str]:
        """As `Layout.present`; without media every clip that has a row."""
        if not self.media:
            return {row["clip_id"] for row in rows}
        held = self.sizes(row["file"] for row in rows if row["file"])
        return {row["clip_id"] for row in rows if row["file"] and held.get(row["file"]) == row["bytes"]}

    def published(self) -> bool:
        """As `Layout.published`."""
        return self.size(self.index[0]) >= 0

    def _sizes(self, files: dict[str, str | None]) -> dict[str, tuple[str | None, int | None]]:
        held = self.sizes(file for file in files.values() if file)
        return {clip_id: (file, held.get(file, -1) if file else None) for clip_id, file in files.items()}


class TalkVid(_OneFilePerClip):
    """`videos/v_<clip_id>.mp4` with a JSON beside each, and the manifest `filtered_video_clips.json`."""

    name = "talkvid"
    cut_folder = "videos"
    index = ("filtered_video_clips.json",)

    def publish(self, records: Iterable[dict[str, Any]], files: dict[str, str | None]) -> dict[str, tuple[str | None, int | None]]:
        """As `Layout.publish`: the manifest in one piece, the JSON beside a clip only where it changed."""
        with self.writing(self.index[0]) as manifest:
            before = b"[\n"
            for record in records:
                line = json_bytes(record)
                manifest.write(before + line)
                before = b",\n"
                if record["file"]:
                    self.keep(beside(record["file"]), line + b"\n")
            manifest.write(b"\n]\n" if before == b",\n" else b"[]\n")
        return self._sizes(files)


class HuggingFace(_OneFilePerClip):
    """`data/train/*.mp4`, `data/train/metadata.jsonl` and a dataset card, as `load_dataset` of Hugging Face reads them."""

    name = "hf"
    cut_folder = "data/train"
    index = ("data/train/metadata.jsonl", "README.md")

    def publish(self, records: Iterable[dict[str, Any]], files: dict[str, str | None]) -> dict[str, tuple[str | None, int | None]]:
        """As `Layout.publish`: `metadata.jsonl` in one piece, and the card that goes with it."""
        facts = []
        with self.writing(self.index[0]) as lines:
            for record in records:
                name = {"file_name": PurePosixPath(record["file"]).name} if record["file"] else {}
                lines.write(json_bytes(name | record) + b"\n")
                facts.append((record["licence"], record["platform"], record["end-time"] - record["start-time"]))
        self.keep(self.index[1], dataset_card(facts, media=self.media).encode())
        return self._sizes(files)
