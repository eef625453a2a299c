"""Where Spark's jars lie."""

import pyspark

from cluster.jars import spark_jars_folder


def test_in_a_container_of_yarn_the_class_path_names_the_folder_of_the_jars(tmp_path, monkeypatch):
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs" / "spark-core_2.13-4.2.0.jar").touch()
    monkeypatch.setattr(pyspark, "__file__", str(tmp_path / "pyspark.zip" / "pyspark" / "__init__.py"))
    monkeypatch.delenv("SPARK_HOME", raising=False)
    monkeypatch.setenv("CLASSPATH", f"{tmp_path}:{tmp_path}/conf/*:{tmp_path}/libs/*")
    assert spark_jars_folder() == tmp_path / "libs"
    monkeypatch.delenv("CLASSPATH")
    assert spark_jars_folder() == tmp_path / "pyspark.zip" / "pyspark" / "jars"
