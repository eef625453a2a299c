"""The curation line on a cluster whose workers have no checkout equals the one on one machine, bit for bit."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster_real.lakes import rows
from tests.cluster_real.nodes import ROOT, Cluster

pytestmark = pytest.mark.cluster

TABLES = ("videos", "clips", "scores", "clip_metadata", "verdicts", "failures")


@pytest.fixture(scope="module")
def spread(cluster: Cluster, footage, tmp_path_factory) -> Path:
    """The lake that the cluster makes."""
    folder = tmp_path_factory.mktemp("spread")
    done = cluster.talkvid("run", str(footage), "--lake", str(folder / "lake"), "--export", str(folder / "out"), "--quiet", timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("table", TABLES)
def test_the_line_on_a_cluster_gives_the_same_rows(alone, spread, table):
    expected = rows(alone / "lake", table)
    assert expected
    assert rows(spread / "lake", table) == expected


def test_exported_files_are_the_same(alone, spread):
    def contents(folder: Path) -> dict[str, bytes]:
        return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.mp4")}

    expected = contents(alone / "out")
    assert expected
    assert contents(spread / "out") == expected


def test_both_workers_worked_and_neither_saw_the_checkout(cluster, spread):
    assert not (spread / "lake" / "jobs").exists()
    seen = [cluster.run(node, ["ls", str(ROOT)]).stdout for node in ("w1", "w2")]
    assert seen == ["", ""]
    logs = [list((cluster.folder / "work" / node).rglob("stderr")) for node in ("w1", "w2")]
    assert all(logs)


def test_spark_submit_with_the_zip_runs_from_any_folder(cluster, footage, tmp_path):
    zipped = subprocess.run([sys.executable, "-m", "jobs.cli", "package", str(tmp_path / "talkvid.zip")], check=True, capture_output=True, text=True, cwd="/")
    assert zipped.stdout.splitlines()[0] == str(tmp_path / "talkvid.zip")
    script = tmp_path / "ingest.py"
    script.write_text("import sys\nfrom jobs.cli import main\nassert '.zip/' in sys.modules['jobs'].__file__\nmain(['ingest', *sys.argv[1:]])\n")
    settings = ["spark.driver.host=10.77.0.2", "spark.driver.bindAddress=10.77.0.2", "spark.executor.memory=700m", f"spark.pyspark.python={cluster.python}"]
    settings += [f"spark.pyspark.driver.python={sys.executable}"]
    words = [str(Path(sys.executable).with_name("spark-submit")), "--master", cluster.master, "--py-files", str(tmp_path / "talkvid.zip")]
    words += [word for setting in settings for word in ("--conf", setting)]
    done = cluster.run("d", [*words, str(script), str(footage), "--lake", str(tmp_path / "lake"), "--quiet"], timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "ingest: in=4 found=4 registered=3 duplicate=0 removed=0 failed=1" in done.stdout
