"""Made-up footage: the demo's sample corpus, and tiny videos for tests.

The only face is Eileen Collins in NASA's public-domain portrait, which comes with scikit-image.
"""

from udfs.footage.corpus import SAMPLES, make_footage, write_labels
from udfs.footage.tiny import tiny_video

__all__ = ["SAMPLES", "make_footage", "tiny_video", "write_labels"]
