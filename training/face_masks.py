"""Where the mouth and the face are, at the size of latents (vexpress.md §11.5)."""

import numpy as np

from udfs.lips import Box, lip_box

__all__ = ["Box", "box_mask", "lip_box"]


def box_mask(box: Box, image_size: tuple[int, int], mask_size: tuple[int, int]) -> np.ndarray:
    """255 inside the box and 0 outside, soft at its edges: uint8 of `mask_size` (rows, columns) for an image of `image_size` (rows, columns).

    What lies outside the image is cut off. (Upstream lets negative edges wrap around, which empties the mask.)
    """
    from PIL import Image

    (height, width), (rows, columns) = image_size, mask_size
    left, top = max(0, int(box.left)), max(0, int(box.top))
    right, bottom = max(-1, int(box.right)), max(-1, int(box.bottom))
    # PIL makes pictures narrower before it makes them lower; all rows of the box become the same one.
    row = np.zeros((1, width), np.uint8)
    row[:, left : right + 1] = 255
    narrow = np.zeros((height, columns), np.uint8)
    narrow[top : bottom + 1] = np.asarray(Image.fromarray(row).resize((columns, 1), Image.Resampling.BILINEAR))
    return np.asarray(Image.fromarray(narrow).resize((columns, rows), Image.Resampling.BILINEAR))
