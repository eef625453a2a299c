"""The model runs where there is nothing but torch and numpy."""

import subprocess
import sys

ALIEN = ("pyspark", "deepspeed", "petastorm", "diffusers", "transformers", "cv2", "delta")
PROGRAM = f"""
import sys
for name in {ALIEN!r}:
    sys.modules[name] = None
import pkgutil, importlib, training.model, training.audio_windows, training.face_masks, training.keypoint_image
for module in pkgutil.walk_packages(training.model.__path__, "training.model."):
    importlib.import_module(module.name)
import torch
from training.model.config import SMOKE
from training.model.vexpress import VExpress
model = VExpress(SMOKE)
inputs = torch.randn(1, 4, 2, 8, 8), torch.tensor([5]), torch.randn(1, 4, 8, 8), torch.rand(1, 3, 2, 64, 64), torch.randn(1, 2, 10, 768)
assert model(*inputs).shape == (1, 4, 2, 8, 8)
print("ran")
"""


def test_model_imports_and_runs_without_any_other_library() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120)
    assert done.stdout == "ran\n", done.stderr
