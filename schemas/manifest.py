"""The record of a clip as TalkVid released it (talkvid.md §6.2); only `export` and the manifest reader know its keys."""

from collections.abc import Mapping
from typing import Any

from schemas.scores import SHOWN

HEAD_KEYS = tuple(f"{which}_{name}" for name in ("movement", "rotation", "completeness", "resolution", "orientation") for which in ("avg", "min"))
"""The ten head scores that the released records keep."""

INFO = {
    "Person ID": "speaker_id",
    "Ethnicity": "ethnicity",
    "Age Group": "age_group",
    "Gender": "gender",
    "Video Link": "link",
    "Language": "language",
    "Video Category": "category",
}
"""Keys of `info`, and the columns behind them; `link` is the page's address."""


def released_record(clip: Mapping[str, Any], file: str | None) -> dict[str, Any]:
    """The released record of a row of `clip_metadata` that also has `scene` and `part`, both counted from 1.

    Sizes, frames and times are those of the span in the source video. After the released keys come ours: `clip_id`, `file`
    (relative to the dataset; null without media), where it is from, its crop box, and the fingerprint of each score.
    Labels that are not known are empty strings, scores null. Without an address, `Video Link` is the media's URI when there is no `file`,
    and empty beside a file.
    """
    link = clip["url"] or ("" if file else clip["uri"])
    head = clip["head"]
    return {
        "id": f"videovideo{clip['video_id']}-scene{clip['scene']}-scene{clip['part']}",
        "height": clip["height"],
        "width": clip["width"],
        "fps": clip["fps"],
        "start-time": clip["start_s"],
        "start-frame": clip["start_frame"],
        "end-time": clip["end_s"],
        "end-frame": clip["end_frame"],
        "durations": f"{clip['duration_s']:.3f}s",
        "info": {key: (link if column == "link" else clip[column]) or "" for key, column in INFO.items()},
        "description": clip["caption"] or "",
        "dover_scores": _value(clip, "dover", "dover_scores"),
        "cotracker_ratio": _value(clip, "cotracker", "cotracker_ratio"),
        "head_detail": {"scores": {key: head[key] for key in HEAD_KEYS}} if head else None,
        "clip_id": clip["clip_id"],
        "file": file,
        "video_id": clip["video_id"],
        "platform": clip["platform"],
        "channel": clip["channel"],
        "licence": clip["licence"],
        "crop": clip["crop"],
        "fingerprints": {scorer: clip[scorer]["fingerprint"] for scorer in SHOWN if clip[scorer]},
    }


def _value(clip: Mapping[str, Any], scorer: str, name: str) -> float | None:
    return clip[scorer][name] if clip[scorer] else None
