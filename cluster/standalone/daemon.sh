# Read by the scripts beside it: where Spark lies, where logs and pids go, and how a daemon is started.
run=${TALKVID_RUN:-${HOME:-/tmp}/.talkvid-spark}
python=${TALKVID_PYTHON:-python3}

usage() {
	sed -n '2,/^set -eu/p' "$1" | sed '$d; s/^# \{0,1\}//' >&2
	exit 2
}

# launch NAME CLASS ARGUMENTS: in the foreground, or in the background with its pid in NAME.pid and its log in NAME.log.
launch() {
	name=$1
	shift
	SPARK_HOME=${SPARK_HOME:-$("$python" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')} || {
		echo "$name: $python has no pyspark; name one that has by TALKVID_PYTHON" >&2
		exit 3
	}
	export SPARK_HOME SPARK_DAEMON_MEMORY="${SPARK_DAEMON_MEMORY:-512m}"
	[ "$foreground" = no ] || exec "$SPARK_HOME/bin/spark-class" "$@"
	mkdir -p "$run"
	setsid "$SPARK_HOME/bin/spark-class" "$@" >>"$run/$name.log" 2>&1 </dev/null &
	echo $! >"$run/$name.pid"
	echo "$name: pid $(cat "$run/$name.pid"), log $run/$name.log"
}
