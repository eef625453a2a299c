"""The zip: everything that the code reads is in it, and is read from it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cluster.package import HOUSE, packed, write_package
from jobs.cli import run_verb
from jobs.package import JOB

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    return write_package(tmp_path_factory.mktemp("package") / "talkvid.zip")


def from_zip(package: Path, code: str, folder: Path) -> str:
    """What a process prints that has the zip and no checkout in its path."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"PYTHONPATH": str(package)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_same_code_gives_the_same_bytes():
    assert packed() == packed()


def test_a_folder_in_its_place_is_told_and_nothing_is_left_beside_it(tmp_path, capsys):
    (tmp_path / "there.zip").mkdir()
    assert run_verb(JOB, [str(tmp_path / "there.zip")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["there.zip"]
    (tmp_path / "file").touch()
    assert run_verb(JOB, [str(tmp_path / "file" / "x.zip")]) == 2


def test_every_file_of_the_packages_is_in_it_and_nothing_else(package):
    kept = {
        str(file.relative_to(ROOT))
        for name in HOUSE
        for file in (ROOT / name).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and not file.name.endswith((".pyc", ".partial"))
    }
    with zipfile.ZipFile(package) as archive:
        assert set(archive.namelist()) == kept


def test_policies_page_and_key_lists_are_read_from_the_zip(package, tmp_path):
    code = (
        "import jobs, schemas, udfs\n"
        "assert all('.zip/' in module.__file__ for module in (jobs, schemas, udfs))\n"
        "from schemas.policy_files import load\n"
        "from udfs.nets.expected import shapes\n"
        "from jobs.report_page.render import _resource\n"
        "from cluster.package import packed, runs_from_zip\n"
        "print(load('lite').name, len(shapes('dover')) > 100, len(_resource('page.css')) > 1000, runs_from_zip(), len(packed()))\n"
    )
    assert from_zip(package, code, tmp_path).split() == ["lite", "True", "True", "True", str(package.stat().st_size)]


def test_every_module_that_spark_workers_need_imports_from_the_zip(package, tmp_path):
    with zipfile.ZipFile(package) as archive:
        modules = [name.removesuffix(".py").replace("/", ".") for name in archive.namelist() if name.endswith(".py") and not name.endswith("__init__.py")]
    wanted = [name for name in modules if name.startswith(("udfs.", "schemas.", "cluster.", "jobs.")) and name != "jobs.__main__"]
    code = f"import importlib\nfor name in {wanted!r}: importlib.import_module(name)\nprint(len({wanted!r}))"
    assert int(from_zip(package, code, tmp_path)) == len(wanted)


def test_a_local_session_of_the_zip_says_nothing_on_its_own(package, tmp_path):
    code = "from cluster.session import _quiet_log; print(_quiet_log())"
    assert from_zip(package, code, tmp_path).strip() == "{}"
