"""Broken media, seeded: each file is a row, nothing hangs, memory stays in its cap, and nothing but the file is opened.

`python -m benchmarks.fuzz [--n 200] [--seed 0]`. Files are registered as `ingest` does it and, where that succeeds, scored as `score`
does it, in one Python process under strace. The cap is that of `udfs.memory_cap`. Exits 1 when anything went wrong, and 3 when only strace was
missing, without which nobody saw what was opened.
"""

import argparse
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.table import show
from udfs.ffmpeg import search_paths
from udfs.memory_cap import LEAST_GIB

FORMATS = {"mp4": (), "mov": (), "mkv": (), "avi": (), "ts": (), "flv": ("-c:v", "flv"), "webm": ("-c:v", "libvpx", "-deadline", "realtime")}
KINDS = ("truncated", "bits", "head", "absurd")
BOXES = (b"mvhd", b"tkhd", b"mdhd", b"stsd", b"stts", b"stsz", b"stsc", b"stco", b"ctts", b"elst", b"avcC", b"trun", b"hdlr")
LONGEST_S = 120.0
"""A file that takes longer has hung: probing may take 60 s, and decoding 60 s and 20 s for each second of film."""
CAP_MIB = LEAST_GIB * 1024
UNEXPLAINED = ("internal", "worker_died")
"""Codes that say nothing of a file."""
TURNS = "turns"
"""Folder in which the watched process makes a file of the same name before it opens one: so the trace tells whose turn it is."""
EMPTY = "empty"
"""Folder in which that process works."""


def originals(folder: Path) -> dict[str, bytes]:
    """A small whole file of every format."""
    made = {}
    for name, options in FORMATS.items():
        path = folder / f"whole.{name}"
        source = ["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10:duration=1", "-f", "lavfi", "-i", "sine=frequency=440:duration=1"]
        sound = ["-c:a", "libvorbis"] if name == "webm" else ["-ar", "44100"] if name == "flv" else []
        command = ["ffmpeg", "-v", "error", "-y", *source, *options, *sound, "-pix_fmt", "yuv420p", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        made[name] = path.read_bytes()
        path.unlink()
    return made


def broken(whole: dict[str, bytes], kind: str, name: str, dice: random.Random) -> bytes:
    """A file of format `name`, broken in one of the ways of `KINDS`."""
    data = bytearray(whole[name])
    if kind == "truncated":
        return bytes(data[: dice.randrange(len(data))])
    if kind == "bits":
        for _ in range(dice.choice((1, 8, 64, 512))):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        return bytes(data)
    if kind == "head":
        other = whole[dice.choice([other for other in whole if other != name])]
        length = dice.choice((4, 12, 64, 512))
        return bytes(other[:length] + data[length:])
    places = [found.end() for box in BOXES for found in re.finditer(re.escape(box), bytes(data))] or [dice.randrange(64, 512)]
    for _ in range(dice.choice((1, 2, 4))):
        at = dice.choice(places) + 4 * dice.randrange(0, 24)
        data[at : at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", dice.randbytes(4)))
    return bytes(data)


def write_files(folder: Path, count: int, seed: int) -> list[str]:
    """`count` broken files, the ways and formats in turn."""
    whole, paths = originals(folder), []
    for number in range(count):
        dice = random.Random(f"{seed}-{number}")
        kind, name = KINDS[number % len(KINDS)], list(FORMATS)[number // len(KINDS) % len(FORMATS)]
        path = folder / f"{number:04d}-{kind}.{name}"
        path.write_bytes(broken(whole, kind, name, dice))
        paths.append(str(path))
    return paths


@dataclass
class Outcome:
    """What became of all files: rows as (file, code of its failure or `registered`, seconds), peak MiB, and what was opened elsewhere."""

    rows: list[tuple[str, str, float]] = field(default_factory=list)
    worker_mib: float = 0.0
    ffmpeg_mib: float = 0.0
    foreign: list[str] | None = None

    def faults(self, files: int) -> list[str]:
        """What went wrong with so many files, a sentence each; nothing where all is as it has to be."""
        hung = [name for name, _, seconds in self.rows if seconds >= LONGEST_S]
        unknown = [name for name, said, _ in self.rows if said in UNEXPLAINED]
        peak_mib = max(self.worker_mib, self.ffmpeg_mib)
        return [
            *([] if len(self.rows) == files else [f"{files} files became {len(self.rows)} rows"]),
            *([f"took {LONGEST_S:.0f} s or longer: {', '.join(hung)}"] if hung else ()),
            *([f"ended as {' or '.join(UNEXPLAINED)}: {', '.join(unknown)}"] if unknown else ()),
            *([f"took {peak_mib:.0f} MiB, the cap is {CAP_MIB:.0f}"] if peak_mib >= CAP_MIB else ()),
            *(self.foreign or ()),
        ]

    def verdict(self, files: int) -> tuple[list[str], int]:
        """What is to be said at the end, and the exit status."""
        faults = self.faults(files)
        unseen = ["strace is not here: what was opened was not watched"] if self.foreign is None else []
        return [*faults, *unseen], 1 if faults else 3 if unseen else 0


def run(folder: Path, count: int, seed: int, limit_s: float = 3000.0) -> Outcome:
    """Make the files below `folder`, look at them in a process of their own, and read what it did. It works in an empty folder, so that
    a name without a path leads nowhere else."""
    folder = folder.resolve()
    inputs, scratch, turns, empty = (folder / name for name in ("inputs", "scratch", TURNS, EMPTY))
    for made in (inputs, scratch, turns, empty):
        made.mkdir()
    (folder / "secret.txt").write_text("not to be opened")
    listed = folder / "files.json"
    listed.write_text(json.dumps(write_files(inputs, count, seed)))
    trace = folder / "trace.log"
    strace = shutil.which("strace")
    watched = [strace, "-f", "-y", "-qq", "-e", "trace=openat,open,connect,socket", "-o", str(trace)] if strace else []
    root = str(Path(__file__).resolve().parents[1])
    environment = {"TMPDIR": str(scratch), "TALKVID_SCRATCH": str(scratch), "PYTHONPATH": root}
    command = [*watched, sys.executable, "-m", "benchmarks.fuzz", "--work", str(listed)]
    done = subprocess.run(command, cwd=empty, env=os.environ | search_paths() | environment, capture_output=True, text=True, timeout=limit_s, check=True)
    *lines, last = done.stdout.strip().splitlines()
    worker, ffmpeg = json.loads(last)
    outcome = Outcome([tuple(json.loads(line)) for line in lines], worker / 1024, ffmpeg / 1024)
    allowed = [str(place) for place in (scratch, turns, listed, root)]
    outcome.foreign = foreign_opens(trace.read_text(errors="replace"), inputs, allowed) if strace else None
    return outcome


def foreign_opens(trace: str, inputs: Path, allowed: Sequence[str]) -> list[str]:
    """Files that were opened outside the installation and the places that are allowed, those of `inputs` but for the one whose turn it
    was, names without a path, and addresses outside this process. `trace` names what was opened as the kernel found it (strace -y)."""
    installation = (
        "/usr/",
        "/lib",
        "/proc/",
        "/sys/",
        "/dev/",
        "/etc/ld.so",
        "/etc/localtime",
        "/etc/locale.alias",
        "/etc/ssl/openssl.cnf",
        sys.prefix,
        sys.base_prefix,
    )
    found, turn, empty = set(), None, str(inputs.parent / EMPTY)
    for line in trace.splitlines():
        opened = re.search(r"\bopen(?:at)?(?:\(| resumed>).* = \d+<(/[^>]*)>", line)
        if opened and Path(opened[1]).parent == inputs.parent / TURNS:
            turn = str(inputs / Path(opened[1]).name)
        elif opened and opened[1] not in (turn, empty) and not opened[1].startswith((*installation, *allowed)):
            found.add(opened[1])
        if tried := re.search(r'\bopen(?:at\(AT_FDCWD[^,]*, |\()"([^/"][^"]*)"', line):
            found.add(tried[1])
        if re.search(r"\b(connect\(|socket\(AF_(INET|INET6|NETLINK))", line):
            found.add(line.strip())
    return sorted(found)


def work(listed: Path) -> None:
    """Body of the watched process: a line of JSON a file, then peak KiB of itself and of its largest child."""
    from udfs.registry import build
    from udfs.score_worker import ScoringPlan, score_items
    from udfs.sources.register import Registration, register_items

    plan, scoring = Registration(media=str(listed.parent / "media")), ScoringPlan.of(build(["technical", "flow"]))
    for number, path in enumerate(json.loads(listed.read_text())):
        (listed.parent / TURNS / Path(path).name).touch()
        started = time.monotonic()
        empty = dict.fromkeys(("spans", "tubes", "subtitle_uri", "audio_uri"))
        item = {"number": number, "uri": path, "bytes": None, "is_download": False, "provenance": {}, "audio_is_named": False} | empty
        ((_, (row,)),) = register_items(plan, [item])
        said = row.get("code") or "registered"
        if said == "registered":
            clip = {name: row[name] for name in ("uri", "width", "height", "fps", "has_audio")}
            clip |= {"clip_id": "c", "video_id": "v", "start_s": 0.0, "end_s": min(5.0, row["duration_s"]), "scorers": ["technical", "flow"]}
            ((_, (scored,)),) = score_items(scoring, [clip])
            said = scored["failures"][0]["code"] if scored["failures"] else "scored"
        print(json.dumps((Path(path).name, said, time.monotonic() - started)), flush=True)
    print(json.dumps([resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]), flush=True)


def main() -> None:
    """Run all files and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args.work)
        return
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), args.n, args.seed)
    by_kind = Counter((name.partition("-")[2].partition(".")[0], said) for name, said, _ in outcome.rows)
    show(f"{args.n} broken files, seed {args.seed}", ("broken how", "became", "files"), [(*key, count) for key, count in sorted(by_kind.items())])
    opened = "strace is not here" if outcome.foreign is None else len(outcome.foreign)
    headings = ("files", "rows", "internal", "slowest, s", "worker peak, MiB", "largest ffmpeg, MiB", "cap, MiB", "opened elsewhere, and sockets")
    internal = sum(said == "internal" for _, said, _ in outcome.rows)
    numbers = (args.n, len(outcome.rows), internal, f"{max(row[2] for row in outcome.rows):.1f}", f"{outcome.worker_mib:.0f}", f"{outcome.ffmpeg_mib:.0f}")
    show("What it took", headings, [(*numbers, f"{CAP_MIB:.0f}", opened)])
    said, status = outcome.verdict(args.n)
    print("\n".join(said))
    sys.exit(status)


if __name__ == "__main__":
    main()
