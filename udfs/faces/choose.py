"""Which face back end works: the one that was named, else the best that is installed."""

from schemas.errors import UsageError
from udfs import weights
from udfs.faces.backend import FaceBackend
from udfs.faces.centerface_dlib import CenterFaceDlib
from udfs.faces.insightface_pack import InsightFacePack

PACKS = ("buffalo_l", "custom-pack", "scrfd_2.5g_kps")
"""Packs the InsightFace back end takes, the preferred one first."""


def resolved(backend: str) -> str:
    """`auto` as the first pack that is installed, else as `centerface-dlib`; any other name as it is."""
    if backend != "auto":
        return backend
    return next((f"insightface:{pack}" for pack in PACKS if weights.available(pack)), CenterFaceDlib.name)


def face_backend(name: str, side_px: int, threshold: float) -> FaceBackend:
    """The back end `centerface-dlib` or `insightface:<pack>`; `side_px` is the longer side of a frame as it sees it, `threshold` its least score.

    Raises `UsageError` for another name.
    """
    kind, _, pack = name.partition(":")
    if name == CenterFaceDlib.name:
        return CenterFaceDlib(side_px, threshold)
    if kind == "insightface" and pack in PACKS:
        return InsightFacePack(pack, side_px, threshold)
    names = ", ".join(("auto", CenterFaceDlib.name, *(f"insightface:{pack}" for pack in PACKS)))
    raise UsageError(f"there is no face back end {name!r}; choose one of {names}")
