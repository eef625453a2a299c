"""Masters that cannot be, known before Spark starts."""

import pytest

from cluster.master import require_master
from schemas.errors import MissingError, UsageError


@pytest.mark.parametrize(
    "master", ["local", "local[*]", "local[2]", "local[*,4]", "local[2, 4]", "spark://a:7077", "spark://a:7077,b:7077", "k8s://https://10.0.0.1:6443"]
)
def test_masters_that_spark_knows_pass(master):
    require_master(master)


@pytest.mark.parametrize("master", ["foo", "local[x]", "local[]", "localhost", "spark://a", "spark://", "k8s://", "yarn-client", "http://a:7077"])
def test_another_word_is_a_usage_error_that_tells_the_forms(master):
    with pytest.raises(UsageError, match=r"a master is local\[N\], spark://HOST:7077"):
        require_master(master)


def test_yarn_needs_the_folder_that_says_where_it_is(monkeypatch):
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.delenv("YARN_CONF_DIR", raising=False)
    with pytest.raises(MissingError, match="HADOOP_CONF_DIR"):
        require_master("yarn")
    monkeypatch.setenv("YARN_CONF_DIR", "/etc/hadoop")
    require_master("yarn")
