"""The scratch folder: what a dead process left goes, whatever it was for; what a living one has stays."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.scratch import own, scratch_folder

DIE = "os.kill(os.getpid(), 9)"
PUT = f"with storage.writing('s3a://bucket/clip.mp4') as half: half.write(b'a person'); half.flush(); {DIE}"
ENCODE = f"""
def frames():
    yield np.zeros((64, 64, 3), np.uint8)
    {DIE}
encode.encoded(frames(), 64, 25.0)
"""
LONE = f"isolation.subprocess.Popen = lambda *words, **options: {DIE}\nlist(isolation.isolated(len, [dict(uri='/a person.mp4')], list))"


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TALKVID_SCRATCH", str(folder))
    return folder


def test_what_dead_processes_left_goes_and_what_is_ones_own_stays(scratch):
    dead = own().replace(str(os.getpid()), "999999999", 1)
    (scratch / f"{dead}left").mkdir()
    (scratch / f"{dead}left" / "clip.mp4").write_bytes(b"a person")
    (scratch / f"{dead}put-x").write_bytes(b"a person")
    (scratch / own("mine")).mkdir()
    (scratch / "weights").mkdir()
    scratch_folder()
    assert {path.name for path in scratch.iterdir()} == {own("mine"), "weights"}


def test_a_container_that_shares_the_folder_does_not_sweep_what_living_processes_outside_have(scratch):
    (scratch / own("clip.mp4")).write_bytes(b"being written")
    inside = ["unshare", "--pid", "--fork", "--mount-proc", *(["--user", "--map-root-user"] if os.geteuid() else [])]
    if shutil.which("unshare") is None or subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no process namespaces here: needs unshare and the right to use it")
    sweep = "from schemas.scratch import own, scratch_folder; import sys; scratch_folder(); print(own())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    swept = subprocess.run([*inside, sys.executable, "-c", sweep], env=environment, capture_output=True, text=True, check=True)
    assert swept.stdout.strip() != own() and (scratch / own("clip.mp4")).exists()


@pytest.mark.parametrize(
    "doing", ["from schemas import storage\n" + PUT, "import numpy as np\nfrom udfs import encode\n" + ENCODE, "from udfs import isolation\n" + LONE]
)
def test_what_a_process_was_at_when_it_was_killed_lies_there_and_is_swept(scratch, tmp_path, doing):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = os.environ | {"TMPDIR": str(elsewhere), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    died = subprocess.run([sys.executable, "-c", f"import os\n{doing}"], env=environment, capture_output=True, text=True)
    assert died.returncode == -9, died.stderr
    assert list(scratch.iterdir()) and not list(elsewhere.iterdir())
    scratch_folder()
    assert not list(scratch.iterdir())
