"""Networks, trainer core, generator and GPU benchmarks import on a machine that has torch and little else (stack.md §9)."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ABSENT = (
    "av",
    "botocore",
    "deepspeed",
    "delta",
    "deltalake",
    "diffusers",
    "dlib",
    "duckdb",
    "ffmpeg",
    "insightface",
    "petastorm",
    "py4j",
    "pyspark",
    "silero_vad",
)
IMPORT = """
import importlib, sys
for name in sys.argv[2].split(","):
    sys.modules[name] = None
importlib.import_module(sys.argv[1])
"""


@pytest.mark.parametrize(
    "module",
    ["benchmarks.networks_gpu", "benchmarks.train_gpu", "benchmarks.generate_gpu", "inference.generator", "training.trainer", "udfs.dover", "udfs.cotracker"],
)
def test_what_a_gpu_works_on_imports_without_spark_and_without_what_reads_files(module):
    answer = subprocess.run([sys.executable, "-c", IMPORT, module, ",".join(ABSENT)], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr[-2000:]
