"""Pictures that people give: which files are opened, and how large a picture may be."""

from pathlib import Path
from typing import TYPE_CHECKING

from schemas.codes import Rejected

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 8192 * 8192
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""Others are not opened: to read EPS, Pillow starts another program."""


def read_picture(path: str | Path, most_px: int | None = None) -> "Image":
    """The portrait in a file, upright, RGB; with `most_px` at most so wide and high. Raises `Rejected`: `vanished`, `not_media`, `too_large`."""
    from PIL import Image, ImageOps

    if not Path(path).is_file():
        raise Rejected("vanished", f"there is no portrait {path}")
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise Rejected("too_large", f"the portrait {path} has {picture.width}x{picture.height} pixels, more than {MOST_PIXELS}")
            if most_px is not None:
                picture.draft("RGB", (most_px, most_px))
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Rejected("not_media", f"the portrait {path} is no picture that can be read ({', '.join(FORMATS)})") from error
    if most_px is not None:
        upright.thumbnail((most_px, most_px))
    return upright
