"""Spark on `s3a://`: the jars, a slim set that follows pyspark's Hadoop (cluster.md §11), and the session's settings.

Only `talkvid sql --engine spark`, and jobs of your own, read a lake through Spark; everything else goes through delta-rs and Arrow.
`python -m cluster.jars --s3a` fetches the jars.
"""

import re
from pathlib import Path

from schemas import s3

SDK = "2.35.4"
HADOOP_AWS = {"3.5.0": ("3.5.0", SDK, "1.3.1"), "3.4.1": ("3.4.1", "2.29.52", None)}
"""By Hadoop version of pyspark: hadoop-aws, Amazon's SDK, and the analytics accelerator that hadoop-aws 3.5 loads at once."""
EXCLUDED = (
    "software.amazon.awssdk:bundle",
    "software.amazon.awssdk:crt-core",
    "software.amazon.awssdk.crt:aws-crt",
    "org.apache.hadoop:hadoop-common",
    "org.slf4j:slf4j-api",
    "commons-logging:commons-logging",
)
"""The bundle has 540 MB; the others are in pyspark."""
_VERSION = re.compile(r"-(\d[\w.]*?)(?=\.jar$)")


def hadoop_version(jars: Path) -> str:
    """The version of the Hadoop client in Spark's folder of jars."""
    found = next(jars.glob("hadoop-client-api-*.jar"))
    return found.stem.removeprefix("hadoop-client-api-")


def coordinates(jars: Path) -> tuple[str, ...]:
    """Maven coordinates of what Spark needs for `s3a://`."""
    hadoop = hadoop_version(jars)
    aws, sdk, accelerator = HADOOP_AWS.get(hadoop, (hadoop, SDK, "1.3.1"))
    clients = tuple(f"software.amazon.awssdk:{name}:{sdk}" for name in ("s3", "s3-transfer-manager", "sts", "apache-client"))
    extra = (f"software.amazon.s3.analyticsaccelerator:analyticsaccelerator-s3:{accelerator}",) if accelerator else ()
    return (f"org.apache.hadoop:hadoop-aws:{aws}", *clients, *extra)


def installed(jars: Path) -> list[Path]:
    """The jars in Spark's folder; empty unless the two that matter are there."""
    if not (list(jars.glob("*hadoop-aws-*.jar")) and list(jars.glob("*awssdk_s3-[0-9]*.jar"))):
        return []
    return sorted(path for pattern in ("software.amazon*", "*hadoop-aws-*", "*wildfly-openssl*", "*reactive-streams-*") for path in jars.glob(pattern))


def lacking(fetched: list[Path], jars: Path) -> list[Path]:
    """Those of the fetched jars that Spark does not bring itself, in whichever version."""
    own = {_VERSION.sub("", jar.name) for jar in jars.glob("*.jar") if "_" not in jar.name.replace("_2.13", "")}
    return [jar for jar in fetched if _VERSION.sub("", jar.name.partition("_")[2]) not in own]


def settings() -> dict[str, str]:
    """Session settings for the store that the environment names. No credentials: the JVM reads them from its own environment, or its role."""
    found = {
        "spark.hadoop.fs.s3a.aws.credentials.provider": "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider,"
        "software.amazon.awssdk.auth.credentials.InstanceProfileCredentialsProvider",
        "spark.hadoop.fs.s3a.endpoint.region": s3.region(),
    }
    address = s3.endpoint()
    if address:
        secure = str(not address.startswith("http://")).lower()
        found |= {
            f"spark.hadoop.fs.s3a.{name}": value for name, value in (("endpoint", address), ("path.style.access", "true"), ("connection.ssl.enabled", secure))
        }
    return found
