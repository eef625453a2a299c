"""Where the mouth and the face are, at the size of latents (vexpress.md §11.5)."""

import numpy as np

from udfs.lips import Box, lip_box

__all__ = ["Box", "box_mask", "lip_box"]


def box_mask(box: Box, image_size: tuple[int, int], mask_size: tuple[int, int]) -> np.ndarray:
    """255 inside the box and 0 outside, soft at its edges: uint8 of `mask_size` (rows, columns) for an image of `image_size` (rows, columns).

    What lies outside the image is cut off. (Upstream lets negative edges wrap around, which empties the mask.)
    """
    from PIL import Image

    mask = np.zeros(image_size, dtype=np.uint8)
    left, top = max(0, int(box.left)), max(0, int(box.top))
    right, bottom = max(-1, int(box.right)), max(-1, int(box.bottom))
    mask[top : bottom + 1, left : right + 1] = 255
    rows, columns = mask_size
    return np.asarray(Image.fromarray(mask).resize((columns, rows), Image.Resampling.BILINEAR))
