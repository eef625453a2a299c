"""Packs of ONNX models in InsightFace's layout: which file of a folder does what, told by shapes, not names (stack.md §5)."""

from pathlib import Path

ROLES = ("detection", "landmark_3d_68", "landmark_2d_106", "genderage", "recognition")


def roles(place: Path) -> dict[str, Path]:
    """The file of each role of `ROLES` in a pack; `place` is its folder, or one detector file. The first by name wins."""
    found: dict[str, Path] = {}
    for file in sorted(place.glob("*.onnx")) if place.is_dir() else [place]:
        role = role_of(file)
        if role is not None:
            found.setdefault(role, file)
    return found


def is_detector(file: Path) -> bool:
    """True for a face detector with five keypoints: nine outputs, three for each of the strides 8, 16 and 32."""
    return role_of(file) == "detection"


def role_of(file: Path) -> str | None:
    """The role of one ONNX file, or None when it has none here (other models, no ONNX at all)."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(str(file), load_external_data=False).graph
    except DecodeError:
        return None
    if len(graph.output) == 9:
        return "detection"
    if len(graph.output) != 1 or not graph.input:
        return None
    height, width = _sides(graph.input[0])
    values = _last_dimension(graph.output[0])
    if (height, width) == (192, 192):
        return {3309: "landmark_3d_68", 212: "landmark_2d_106"}.get(values)
    if (height, width) == (96, 96):
        return "genderage" if values == 3 else None
    return "recognition" if height == width and height >= 112 and height % 16 == 0 else None


def _sides(value) -> tuple[int, int]:  # noqa: ANN001 - onnx.ValueInfoProto, known only once onnx is imported
    dimensions = value.type.tensor_type.shape.dim
    return (dimensions[2].dim_value, dimensions[3].dim_value) if len(dimensions) == 4 else (0, 0)


def _last_dimension(value) -> int:  # noqa: ANN001 - as above
    dimensions = value.type.tensor_type.shape.dim
    return dimensions[-1].dim_value if dimensions else 0
