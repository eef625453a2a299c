#!/bin/sh
# Runs a verb on YARN; the code goes with it:
#
#   submit.sh VERB [FLAGS…]         for example: submit.sh score --lake s3a://bucket/lake
#
# Settings by environment: HADOOP_CONF_DIR (of the cluster), DEFAULTS (what `talkvid cluster-conf --manager yarn` printed), MODE (client, the
# default, or cluster), EXECUTOR_PYTHON (Python on the nodes; default: this one's path), ARCHIVES (a packed environment that holds its own
# interpreter, as FILE#env; then EXECUTOR_PYTHON=./env/bin/python), CONF (more "K=V" settings, divided by blanks), TALKVID (the command).
set -eu
[ $# -gt 0 ] || { sed -n '2,/^set -eu/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
: "${HADOOP_CONF_DIR:?the folder with the cluster's yarn-site.xml}"
verb=$1
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${TALKVID:-talkvid}" package "$scratch/talkvid.zip" >/dev/null
# In cluster mode YARN takes a driver that never started Spark, having nothing to do, for a failed one: start it then, without executors.
cat >"$scratch/verb.py" <<'END'
import sys

from pyspark import SparkConf, SparkContext

from jobs.cli import main

try:
    main(sys.argv[1:])
except SystemExit as end:
    if not end.code and SparkContext._gateway is None:
        SparkContext._ensure_initialized()
        if SparkConf().get("spark.submit.deployMode", "client") == "cluster":
            SparkContext(conf=SparkConf().set("spark.executor.instances", "0")).stop()
    raise
END
settings=
add() { settings="$settings --conf $1"; }
here_python=$(command -v python3)
add "spark.pyspark.python=${EXECUTOR_PYTHON:-$here_python}"
if [ "${MODE:-client}" = client ]; then
	add "spark.pyspark.driver.python=$here_python"
fi
# Containers have a home of their own that is removed, so what lies in a cache folder has to be named.
if [ -n "${TALKVID_WEIGHTS:-}" ]; then
	add "spark.executorEnv.TALKVID_WEIGHTS=$TALKVID_WEIGHTS"
	add "spark.yarn.appMasterEnv.TALKVID_WEIGHTS=$TALKVID_WEIGHTS"
fi
for setting in ${CONF:-}; do add "$setting"; done
# shellcheck disable=SC2086 - settings hold no blanks
"${SPARK_SUBMIT:-spark-submit}" --master yarn --deploy-mode "${MODE:-client}" --name "talkvid-$verb" \
	${DEFAULTS:+--properties-file "$DEFAULTS"} ${ARCHIVES:+--archives "$ARCHIVES"} \
	--py-files "$scratch/talkvid.zip" --files "$here/../gpus.sh" $settings \
	"$scratch/verb.py" "$verb" "$@"
