import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from schemas.codes import Rejected
from schemas.errors import MissingError
from tests.udfs.clips import make
from udfs import ffmpeg as starter
from udfs.ffmpeg import Process, ffmpeg_arguments, ffprobe_arguments, run, source

REPOSITORY = Path(__file__).resolve().parents[2]

READ_ALL_WAYS = """
import sys
from schemas.codes import Rejected
from udfs.media import audio_16k, cut, frame_times, probe, still
for path in sys.argv[1:]:
    for read in (probe, frame_times, audio_16k, lambda path: still(path, 0.0), lambda path: cut(path, "cut.mp4", 0.0, 1.0)):
        try:
            read(path)
            print("read")
        except Rejected as rejected:
            print(rejected.code)
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make(tmp_path_factory.mktemp("ffmpeg") / "clip.mp4", sound=None)


def traced(arguments: list[str], folder: Path) -> tuple[str, str]:
    """What a command printed, and the names of all files and programs that it and its children touched."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    log = folder / "trace.log"
    command = ["strace", "-f", "-qq", "-e", "trace=openat,open,execve,connect", "-o", str(log), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, check=False)
    if not log.exists() or "PTRACE" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    return done.stdout, log.read_text()


def hostile_files(folder: Path) -> list[str]:
    """Files that name their neighbour `secret.txt`, in every way that ffmpeg knows, under names of videos."""
    (folder / "secret.txt").write_text("secret")
    absolute = folder / "secret.txt"
    contents = {
        "relative_concat.mp4": b"ffconcat version 1.0\nfile secret.txt\n",
        "absolute_concat.mp4": f"ffconcat version 1.0\nfile '{absolute}'\n".encode(),
        "bare_concat.mp4": b"file secret.txt\n",
        "playlist.mp4": f"#EXTM3U\n#EXTINF:1,\nfile://{absolute}\n#EXT-X-ENDLIST\n".encode(),
        "dash.mp4": f'<?xml version="1.0"?><MPD><BaseURL>file://{absolute}</BaseURL></MPD>'.encode(),
        "disguised.mp4": b"\0\0\0\x08freeffconcat version 1.0\nfile secret.txt\n",
        "disguised.mkv": b"\x1aE\xdf\xa3#EXTM3U\n#EXTINF:1,\nsecret.txt\n",
        "disguised.ts": (b"\x47" + b"\nfile secret.txt\n".ljust(187, b"\n")) * 20,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return list(contents)


def test_files_that_name_other_files_make_nobody_open_them(tmp_path):
    names = hostile_files(tmp_path)
    said, log = traced([sys.executable, "-c", READ_ALL_WAYS, *names], tmp_path)
    assert "read" not in said.splitlines()
    assert len(said.splitlines()) == 5 * len(names)
    assert "disguised.mp4" in log
    assert "secret.txt" not in log


def test_playlists_of_the_corpus_make_nobody_open_other_files(tmp_path, corpus):
    paths = [str(corpus / "broken" / name) for name in ("playlist_reading_local_file.mp4", "concat_reading_local_file.mp4")]
    said, log = traced([sys.executable, "-c", READ_ALL_WAYS, *paths], tmp_path)
    assert set(said.split()) == {"forbidden_reference"}
    assert "/etc/hostname" not in log


@pytest.mark.parametrize("demuxer", ["mov", "matroska", "mpegts", "avi"])
def test_probing_a_concat_file_as_a_container_opens_nothing_else(tmp_path, demuxer):
    hostile_files(tmp_path)
    arguments = ffprobe_arguments(tmp_path / "relative_concat.mp4", demuxer, max_pixels=10**6, show=["-show_streams"])
    program = f"import sys; from udfs.ffmpeg import run; run('ffprobe', {arguments!r}, limit_s=20)"
    _, log = traced([sys.executable, "-c", program], tmp_path)
    assert "relative_concat.mp4" in log
    assert "secret.txt" not in log


def test_every_input_names_its_demuxer_its_file_and_what_may_be_opened(clip):
    arguments = ffmpeg_arguments(source(clip, "mov").output("pipe:1", format="null"))
    assert arguments[arguments.index("-i") + 1] == f"file:{clip}"
    assert "-nostdin" in arguments
    assert arguments.index("-f") < arguments.index("-i")
    assert arguments[arguments.index("-protocol_whitelist") + 1] == "file,pipe"
    assert arguments[arguments.index("-enable_drefs") + 1] == "0"


def test_no_other_module_starts_ffmpeg_or_opens_video_by_itself():
    forbidden = re.compile(r"run_async|ffmpeg\.run\(|ffmpeg\.probe\(|VideoCapture|import av\n|VideoReader|(?<!\w)\[\"ff(mpeg|probe)\"")
    own_samples = REPOSITORY / "training" / "clip_frames.py"  # reads bytes that this project encoded, from memory
    folders = ("schemas", "udfs", "jobs", "cluster", "training", "inference")
    modules = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")]
    assert [path for path in modules if forbidden.search(path.read_text())] == [own_samples]


def test_secrets_of_the_environment_stay_here(clip, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    with Process("ffmpeg", ffmpeg_arguments(source(clip, "mov", re=None).output("pipe:1", format="null")), limit_s=20) as process:
        assert "hunter2" not in str(psutil.Process(process.pid).environ())


def test_no_library_is_looked_for_in_the_working_folder(monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/some/lib64::/more:")
    assert starter._environment()["LD_LIBRARY_PATH"] == "/some/lib64:/more"


def test_time_spent_by_a_slow_reader_does_not_count(clip):
    output = source(clip, "mov").output("pipe:1", format="rawvideo", pix_fmt="rgb24")
    frame = memoryview(bytearray(160 * 120 * 3))
    count = 0
    with Process("ffmpeg", ffmpeg_arguments(output), limit_s=5.0) as process:
        while process.read_into(frame) == len(frame):
            count += 1
            if count % 20 == 0:
                time.sleep(1.2)
        assert process.finish() == 0
    assert count == 100


def test_process_is_killed_with_its_group_at_the_time_limit(clip):
    endless = source(clip, "mov", re=None, stream_loop=-1).output("pipe:1", format="null")
    started = time.monotonic()
    with pytest.raises(Rejected) as caught, Process("ffmpeg", ffmpeg_arguments(endless), limit_s=0.5) as process:
        group = process.pid
        assert os.getpgid(group) == group
        process.finish()
    assert caught.value.code == "timeout"
    assert time.monotonic() - started < 5
    assert not psutil.pid_exists(group)


def test_flood_of_messages_blocks_nothing(clip):
    output = source(clip, "mov").output("pipe:1", format="rawvideo", pix_fmt="rgb24")
    done = run("ffmpeg", ffmpeg_arguments(output, log_level="trace"), limit_s=60)
    assert done.status == 0
    assert len(done.output) == 100 * 160 * 120 * 3


def test_output_has_a_cap(clip):
    output = source(clip, "mov").output("pipe:1", format="rawvideo", pix_fmt="rgb24")
    with pytest.raises(Rejected) as caught:
        run("ffmpeg", ffmpeg_arguments(output), limit_s=60, max_output_bytes=10**6)
    assert caught.value.code == "too_large"


def test_ffmpeg_dies_with_its_parent(clip):
    if not starter._prefix():
        pytest.skip("setpriv is not installed")
    program = f"""
import time
from udfs.ffmpeg import Process, ffmpeg_arguments, source
with Process("ffmpeg", ffmpeg_arguments(source({str(clip)!r}, "mov", re=None, stream_loop=-1).output("pipe:1", format="null")), limit_s=60) as process:
    time.sleep(0.5)
    print(process.pid, flush=True)
    time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.name() == "ffmpeg"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    gone, alive = psutil.wait_procs([child], timeout=5)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_forked_worker_can_start_processes(clip):
    arguments = ffprobe_arguments(clip, "mov", max_pixels=10**6, show=["-show_format"])
    assert run("ffprobe", arguments, limit_s=20).status == 0
    worker = os.fork()
    if worker == 0:
        os._exit(run("ffprobe", arguments, limit_s=20).status)
    assert os.waitpid(worker, 0)[1] == 0


def test_missing_ffmpeg_is_one_sentence_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    starter._executable.cache_clear()
    try:
        with pytest.raises(MissingError, match="apt-get install ffmpeg"):
            run("ffmpeg", ["-version"], limit_s=5)
    finally:
        starter._executable.cache_clear()
