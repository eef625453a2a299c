"""Weights that lie under a prefix of a real S3 store, and a node's copies of them."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import MissingError, VerificationError
from tests.cluster_real.s3_server import S3Server
from udfs import weights, weights_store

NAME = "wav2vec2-base-960h"
FILE = f"{NAME}.safetensors"
STORE = "s3a://lake-bucket/weights"
MIB = b"w" * (1 << 20)

STAGES = """
import sys, time
from schemas import storage
from udfs import weights
fetch = storage.fetch
def slowly(uri, path):
    print("fetched", uri, flush=True)
    time.sleep(1)
    fetch(uri, path)
storage.fetch = slowly
print("ready", flush=True)
input()
print("path", weights.path(sys.argv[1]), flush=True)
"""
HOLDS = """
import sys
from udfs import weights_store
print(weights_store.staged(*sys.argv[1:]), flush=True)
input()
"""


@pytest.fixture
def store(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the store's objects; this process is on a node that has none of them yet."""
    monkeypatch.setenv("TALKVID_SCRATCH", str(tmp_path / "node"))
    monkeypatch.setenv("TALKVID_WEIGHTS", STORE)
    weights_store._there.cache_clear()
    place = s3_server.folder / "lake-bucket" / "weights"
    place.mkdir(exist_ok=True)
    yield place
    for path in place.iterdir():
        path.unlink()


def lay(place: Path, data: bytes, pinned: bytes | None = None) -> None:
    """Put the entry and its pin into the store."""
    (place / FILE).write_bytes(data)
    (place / f"{NAME}.json").write_text(json.dumps({"sha256": hashlib.sha256(data if pinned is None else pinned).hexdigest(), "bytes": len(data)}))


@pytest.fixture
def process() -> Iterator:
    """Starts a Python program; none outlives the test."""
    begun: list[subprocess.Popen] = []

    def start(code: str, *words: str) -> subprocess.Popen:
        begun.append(subprocess.Popen([sys.executable, "-c", code, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return begun[-1]

    yield start
    for other in begun:
        other.kill()
        other.communicate()


def test_two_processes_of_a_node_copy_an_entry_once(store, process):
    lay(store, MIB)
    both = [process(STAGES, NAME) for _ in range(2)]
    for one in both:
        assert one.stdout.readline() == "ready\n"
    for one in both:
        one.stdin.write("\n")
        one.stdin.flush()
    said = [one.communicate(timeout=60)[0].splitlines() for one in both]
    assert sorted(line for lines in said for line in lines if line.startswith("fetched")) == [f"fetched {STORE}/{FILE}"]
    assert {lines[-1] for lines in said} == {f"path {weights_store.folder(STORE) / FILE}"}


def test_the_hash_of_what_was_copied_is_checked(store):
    lay(store, MIB)
    assert weights.path(NAME).read_bytes() == MIB
    weights_store._there.cache_clear()
    lay(store, b"another network", pinned=MIB)
    os.utime(store / FILE, (1, 1))
    with pytest.raises(VerificationError, match=NAME):
        weights.path(NAME)


def test_an_entry_that_changes_in_the_store_is_copied_again(store):
    lay(store, MIB)
    weights.path(NAME)
    weights_store._there.cache_clear()
    lay(store, b"another network")
    os.utime(store / FILE, (1, 1))
    assert weights.path(NAME).read_bytes() == b"another network"


def test_what_is_not_in_the_store_is_missing(store):
    assert not weights.available(NAME)
    with pytest.raises(MissingError, match=NAME):
        weights.path(NAME)


def used_by_a_process_that_ended(*words: str) -> Path:
    """Where another process staged an entry; it is gone."""
    ended = subprocess.run([sys.executable, "-c", HOLDS, *words], input="\n", capture_output=True, text=True, check=True, timeout=60)
    return Path(ended.stdout.strip())


def test_the_bound_holds_for_all_prefixes_of_a_node_together_and_the_oldest_goes_first(store, monkeypatch):
    for name in ("first", "second", "third"):
        (store / name).write_bytes(MIB)
        other = store.parent / "elsewhere"
        other.mkdir(exist_ok=True)
        (other / name).write_bytes(MIB)
    elsewhere = "s3a://lake-bucket/elsewhere"
    oldest = used_by_a_process_that_ended(elsewhere, "first", "first")
    newer = used_by_a_process_that_ended(STORE, "second", "second")
    os.utime(weights_store.folder(elsewhere) / ".first.seen.json", (1, 1))
    monkeypatch.setattr(weights_store, "MOST_BYTES", (2 << 20) + 4096)
    assert weights_store.staged(STORE, "third", "third").exists()
    assert newer.exists()
    assert not oldest.exists()


def test_a_copy_that_a_living_process_was_given_stays(store, process, monkeypatch):
    for name in ("held", "wanted", "wanted too"):
        (store / name).write_bytes(MIB)
    holder = process(HOLDS, STORE, "held", "held")
    held = Path(holder.stdout.readline().strip())
    monkeypatch.setattr(weights_store, "MOST_BYTES", (1 << 20) + 4096)
    assert weights_store.staged(STORE, "wanted", "wanted").read_bytes() == MIB
    assert held.read_bytes() == MIB
    holder.communicate("\n", timeout=60)
    mine = weights_store.folder(STORE) / "wanted"
    assert weights_store.staged(STORE, "wanted too", "wanted too").read_bytes() == MIB
    assert not held.exists()
    assert mine.read_bytes() == MIB


def test_what_a_killed_process_left_half_copied_goes(store):
    (store / "whole").write_bytes(MIB)
    half = weights_store.folder(STORE).with_name("another prefix") / ".gone.half"
    half.mkdir(parents=True)
    (half / "part").write_bytes(MIB)
    weights_store.staged(STORE, "whole", "whole")
    assert not half.exists()
