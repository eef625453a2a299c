"""Spans that a manifest gave, fitted to the video as it is: in seconds of this file, with crop boxes in its pixels."""

from collections.abc import Iterable, Sequence
from typing import Any

from udfs.sources.source import Span, Tube

END_TOLERANCE_S = 0.5
"""A span may end this much after the video and is then cut; manifests were made from other encodes."""

CUT_TOLERANCE_S = 0.25
"""A file this near to the length of its only span is that span, cut out (talkvid.md §1.2: `video-path` is the clip, its times are the source's)."""

Row = dict[str, Any]


def fitted(
    spans: Sequence[Span] | None, tubes: Sequence[Tube] | None, *, duration_s: float, fps: float, width: int, height: int
) -> tuple[list[Row] | None, int]:
    """Rows of `videos.spans` for a video of this length, rate and upright size, and how many spans do not lie in it.

    None where no manifest spoke.
    """
    if spans is None and tubes is None:
        return None, 0
    wanted = [_row(span.start_s, span.end_s, None, span.caption) for span in _own_times(spans or (), duration_s)]
    wanted += [tube_row(tube, fps, width, height) for tube in tubes or ()]
    inside = [row | {"end_s": min(row["end_s"], duration_s)} for row in wanted if _is_inside(row, duration_s)]
    return sorted_rows(inside), len(wanted) - len(inside)


def tube_row(tube: Tube, fps: float, width: int, height: int) -> Row:
    """Frames S..E (inclusive) after the chunk's start, in seconds; the box scaled to the real size (talkvid.md §10)."""
    across, down = width / tube.width_px, height / tube.height_px
    crop = {
        "left": min(int(tube.left * across), width),
        "top": min(int(tube.top * down), height),
        "right": min(int(tube.right * across), width),
        "bottom": min(int(tube.bottom * down), height),
    }
    return _row(tube.offset_s + tube.first_frame / fps, tube.offset_s + (tube.last_frame + 1) / fps, crop, None)


def sorted_rows(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of time, each once."""
    unique = {(row["start_s"], row["end_s"], str(row["crop"]), row["caption"] or ""): row for row in rows}
    return [unique[key] for key in sorted(unique)]


def _own_times(spans: Sequence[Span], duration_s: float) -> Sequence[Span]:
    """Spans in the file's own time: the only span of a file that was cut to it is the whole file."""
    if len(spans) == 1 and abs(spans[0].end_s - spans[0].start_s - duration_s) <= CUT_TOLERANCE_S:
        return (Span(0.0, duration_s, spans[0].caption),)
    return spans


def _is_inside(row: Row, duration_s: float) -> bool:
    crop = row["crop"]
    has_area = crop is None or (crop["right"] > crop["left"] and crop["bottom"] > crop["top"])
    return row["end_s"] <= duration_s + END_TOLERANCE_S and row["start_s"] < min(row["end_s"], duration_s) and has_area


def _row(start_s: float, end_s: float, crop: Row | None, caption: str | None) -> Row:
    return {"start_s": start_s, "end_s": end_s, "crop": crop, "caption": caption}
