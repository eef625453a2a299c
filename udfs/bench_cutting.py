"""Cutting benchmark clips as a worker of `jobs.batches`: each in four forms (talkvid.md §6.2)."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas import storage
from schemas.codes import Rejected
from schemas.ids import media_name
from schemas.scratch import own, scratch_folder
from udfs.cut import sound_only
from udfs.media import Box, cut
from udfs.registered import Registered
from udfs.staging import staged

WITH_SOUND = "videos_w_audios"
FACE_PX = 512
FACES = f"videos_crop_{FACE_PX}x{FACE_PX}"
FORMS = {"videos": "mp4", "audios": "m4a", FACES: "mp4", WITH_SOUND: "mp4"}
"""Folder of each form, and its files' extension."""
FACE_SIDES = 1.6
"""Side of the face crop, in longer sides of the box around all its faces (talkvid.md §8.5)."""

ROWS = pa.schema([("clip_id", pa.string()), ("axis", pa.string()), ("bytes", pa.int64()), ("code", pa.string()), ("detail", pa.string())])
"""Result rows: the size of the form with sound, or the code and the sentence of a failure."""


def cut_forms(items: list[dict[str, Any]]) -> Iterator[tuple[int, list[dict]]]:
    """Cut each item (`clip_id, axis, folder, uri, registered, audio_uri, start_s, end_s, crop, face`) into the folders of `FORMS` below `folder`, a path or a
    prefix in a store.

    `face` is the square to crop, or None where no face was seen: then that form is left out, as `audios` is for a silent clip. Files come whole.
    """
    for index, item in enumerate(items):
        try:
            written = _put(item) if storage.is_remote(item["folder"]) else _cut(item, Path(item["folder"]))
            yield index, [_row(item, written, None)]
        except Rejected as rejection:
            yield index, [_row(item, None, rejection)]
        except Exception as error:  # noqa: BLE001 - one clip must not end the job; the row names what happened
            yield index, [_row(item, None, Rejected("internal", f"{type(error).__name__}: {error}"))]


def died(item: dict[str, Any]) -> list[dict]:
    """The row of a clip that killed its Python process twice."""
    return [_row(item, None, Rejected("worker_died", "the process that cut this clip died, and again when it had the clip alone"))]


def face_square(boxes: Sequence[Sequence[float]], width: int, height: int) -> Box | None:
    """The square crop around all `boxes` (left, top, right, bottom in px of a picture of `width` x `height`), moved and made smaller so that it
    lies in the picture; upstream cuts it off there and stretches the rest. None without boxes."""
    if not boxes:
        return None
    left, top, right, bottom = (pick(box[side] for box in boxes) for side, pick in enumerate((min, min, max, max)))
    side = int(min(FACE_SIDES * max(right - left, bottom - top), width, height)) // 2 * 2
    x = round(min(max((left + right - side) / 2, 0), width - side))
    y = round(min(max((top + bottom - side) / 2, 0), height - side))
    return (x // 2 * 2, y // 2 * 2, x // 2 * 2 + side, y // 2 * 2 + side) if side >= 2 else None


def _put(item: dict[str, Any]) -> int:
    """Cut on the local disk, then put into the store in the order of `FORMS`, of which the form with sound is the last."""
    with tempfile.TemporaryDirectory(prefix=own(), dir=scratch_folder()) as scratch:
        written = _cut(item, Path(scratch))
        for folder, extension in FORMS.items():
            name = media_name(item["clip_id"], extension)
            if Path(scratch, folder, name).exists():
                storage.put_file(Path(scratch, folder, name), storage.at(item["folder"], folder, name))
    return written


def _cut(item: dict[str, Any], out: Path) -> int:
    """Bytes of the form with sound, which is written last: where it is, the others are."""
    places = {folder: out / folder / media_name(item["clip_id"], extension) for folder, extension in FORMS.items()}
    crop = item["crop"]
    box = (crop["left"], crop["top"], crop["right"], crop["bottom"]) if crop else None
    span = item["start_s"], item["end_s"]
    for place in places.values():
        place.parent.mkdir(parents=True, exist_ok=True)
    registered = Registered.read(item.get("registered"))
    with staged(item["uri"], registered) as media, staged(item["audio_uri"]) if item["audio_uri"] else nullcontext() as sound:
        if item["face"]:
            left, top = (box[0], box[1]) if box else (0, 0)
            face = tuple(edge + (left, top)[number % 2] for number, edge in enumerate(item["face"]))
            cut(media, places[FACES], *span, crop=face, sound=False, side_px=FACE_PX)
        cut(media, places["videos"], *span, crop=box, sound=False)
        with_sound = places[WITH_SOUND]
        part = with_sound.with_name(f".{with_sound.name}")
        try:
            written = cut(media, part, *span, crop=box, audio_source=sound)
            if item["has_audio"]:
                sound_only(part, places["audios"])
            part.replace(with_sound)
        finally:
            part.unlink(missing_ok=True)
    return written.bytes


def _row(item: dict[str, Any], size: int | None, rejection: Rejected | None) -> dict[str, Any]:
    row = {"clip_id": item["clip_id"], "axis": item["axis"], "bytes": size}
    return row | {"code": rejection.code if rejection else None, "detail": rejection.detail if rejection else None}
