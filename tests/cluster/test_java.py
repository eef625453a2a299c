"""Java: Spark runs on 17 and 21, and whoever has another is told so in a sentence before anything starts."""

import subprocess
from pathlib import Path

import pytest

from cluster.java import require_java
from schemas.errors import MissingError

ROOT = Path(__file__).resolve().parents[2]


def program(folder: Path, name: str, says: str = "") -> None:
    """A program that prints something, on standard error too, as `java -version` does."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\ncat <<'X'\n{says}\nX\ncat >&2 <<'X'\n{says}\nX\n")
    file.chmod(0o755)


@pytest.mark.parametrize("version", ["11.0.21", "1.8.0_402", "25", "170.1"])
def test_another_java_is_one_sentence(tmp_path, monkeypatch, version):
    program(tmp_path / "bin", "java", f'openjdk version "{version}" 2024-01-16')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingError, match=f"^Java at {tmp_path}/bin/java is version {version}, on which Spark does not run: install Java 17 or 21 ") as error:
        require_java()
    assert error.value.exit_status == 3


@pytest.mark.parametrize("version", ["17-ea", "17.0.15", "21", "21.0.2"])
def test_java_17_and_21_are_taken(tmp_path, monkeypatch, version):
    program(tmp_path / "bin", "java", f'Picked up JAVA_TOOL_OPTIONS: -Xmx11m\nopenjdk version "{version}" 2024-01-16')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    require_java()


def packages(tmp_path: Path, java: str | None, offered: str = "", home: str = "") -> subprocess.CompletedProcess:
    """What `system-packages.sh` says to a user who is not root and has that Java on the path."""
    for name in ("ffmpeg", "ffprobe", "python3", "apt-get"):
        program(tmp_path / "bin", name)
    program(tmp_path / "bin", "id", "1000")
    candidate = tmp_path / "bin" / "apt-cache"
    candidate.write_text(f'#!/bin/sh\ncase "$3" in *{offered or "nothing"}*) echo "{offered} - a Java";; esac\n')
    candidate.chmod(0o755)
    for name in ("grep", "sed", "cat", "sh"):
        (tmp_path / "bin" / name).symlink_to(f"/bin/{name}")
    if java:
        program(tmp_path / "bin", "java", f'openjdk version "{java}" 2024-01-16')
    environment = {"PATH": str(tmp_path / "bin")} | ({"JAVA_HOME": home} if home else {})
    return subprocess.run(["/bin/sh", ROOT / "system-packages.sh"], capture_output=True, text=True, env=environment, timeout=60, cwd=tmp_path)


@pytest.mark.parametrize("java", [None, "11.0.2", "25"])
def test_set_up_names_a_java_that_spark_runs_on_without_being_root(tmp_path, java):
    answer = packages(tmp_path, java, offered="openjdk-21-jre-headless")
    assert answer.returncode == 3
    assert "sudo apt-get install -y openjdk-21-jre-headless\n" in answer.stdout


@pytest.mark.parametrize("java", ["17.0.2", "21"])
def test_set_up_takes_a_java_that_spark_runs_on(tmp_path, java):
    assert packages(tmp_path, java).returncode == 0


def test_set_up_says_when_java_home_is_another_java(tmp_path):
    program(tmp_path / "eleven" / "bin", "java", 'openjdk version "11.0.2" 2024-01-16')
    answer = packages(tmp_path, "17.0.2", home=str(tmp_path / "eleven"))
    assert answer.returncode == 3
    assert answer.stdout == f"JAVA_HOME={tmp_path / 'eleven'} is no Java 17 or 21, on which Spark runs: set it to one, or unset it, and run this again\n"
