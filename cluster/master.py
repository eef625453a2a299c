"""What can be known to be wrong with a master before Spark starts."""

import os
import re

from schemas.errors import MissingError, UsageError

_FORMS = re.compile(r"local(\[(\*|\d+)( *, *\d+)?\]|-cluster\[ *\d+ *, *\d+ *, *\d+ *\])?|spark://[^,/]+:\d+(,[^,/]+:\d+)*|k8s://.+|yarn")


def require_master(master: str) -> None:
    """Raise `UsageError` for what is no address of a master, `MissingError` for `yarn` without the folder that says where it is."""
    if not _FORMS.fullmatch(master):
        raise UsageError(f"--master {master}: a master is local[N], spark://HOST:7077, k8s://https://HOST:6443 or yarn")
    if master == "yarn" and not (os.environ.get("HADOOP_CONF_DIR") or os.environ.get("YARN_CONF_DIR")):
        raise MissingError("--master yarn needs HADOOP_CONF_DIR, the folder with yarn-site.xml and core-site.xml of the cluster")
