"""Which Java is called, and which ones Spark runs on."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from schemas.errors import MissingError

SUPPORTED = ("17", "21")
HOW = "install Java 17 or 21 (for example: apt-get install openjdk-17-jre-headless), or set JAVA_HOME"


def is_supported(version: str) -> bool:
    """Whether the first number of a version, or of what `java -version` prints, is one that Spark runs on."""
    number = re.search(r"\d+", version)
    return number is not None and number[0] in SUPPORTED


def require_java() -> None:
    """Raise `MissingError` unless the Java that Spark would start in is one that it runs on."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if not java or not Path(java).exists():
        raise MissingError(f"Java is missing: {HOW}")
    try:
        told = subprocess.run([java, "-version"], capture_output=True, check=True, timeout=60, text=True, errors="replace")
    except (OSError, subprocess.SubprocessError):
        raise MissingError(f"Java at {java} does not start: {HOW}") from None
    version = re.search(r'version "([^"]+)"', told.stderr + told.stdout)
    if version is not None and not is_supported(version[1]):
        raise MissingError(f"Java at {java} is version {version[1]}, on which Spark does not run: {HOW}")
