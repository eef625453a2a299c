"""How well lip boxes from mouth corners meet those from dlib's 68 landmarks, on real footage.

`python -m benchmarks.lip_boxes [--every 12] [--frames 20]`
dlib's landmarks are for non-commercial research.
"""

import argparse
from statistics import median

import numpy as np

from benchmarks.corpus import corpus_folder
from benchmarks.table import show
from udfs import media
from udfs.face_track import overlap
from udfs.faces.choose import face_backend
from udfs.faces.dlib_mouth import WithDlibMouth
from udfs.lips import lip_box, mouth_outline
from udfs.scorer import Device


def main() -> None:
    """Measure and print a table, a row a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=12, help="frames between those looked at")
    parser.add_argument("--frames", type=int, default=20, help="most frames of a file")
    args = parser.parse_args()
    backend = face_backend("centerface-dlib", 640, 0.5)
    backend.setup(Device())
    landmarks = WithDlibMouth(backend)
    rows = []
    for path in sorted((corpus_folder() / "singles").iterdir()):
        times_s = media.frame_times(path)
        found = []
        for _, frame in media.frames(path, times_s, 0.0, float(times_s[-1]) + 1, range(0, len(times_s), args.every)[: args.frames]):
            faces = backend.detect(frame)
            if faces:
                face = max(faces, key=lambda face: face.box[3] - face.box[1])
                mouth = landmarks.mouth(frame, face)
                ours, theirs = np.array(lip_box(mouth_outline(face.keypoints))), np.array(lip_box(mouth))
                sides = [(box[2:] - box[:2]) for box in (ours, theirs)]
                down = np.linalg.norm(face.keypoints[3:].mean(axis=0) - face.keypoints[:2].mean(axis=0))
                sinking = ((mouth[:, 1].min() + mouth[:, 1].max()) / 2 - face.keypoints[3:, 1].mean()) / down
                found.append((*(sides[0] / sides[1]), overlap(ours, theirs), np.ptp(mouth[:, 1]) / down, sinking))
        if found:
            rows.append([path.name, len(found), *(f"{median(values):.2f}" for values in zip(*found, strict=True))])
    headings = ("file", "frames", "width / dlib's", "height / dlib's", "overlap (IoU)", "lip height / eyes to mouth", "middle below corners / eyes to mouth")
    show("Lip boxes from mouth corners beside dlib's (medians)", headings, rows)


if __name__ == "__main__":
    main()
