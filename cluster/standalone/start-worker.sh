#!/bin/sh
# Starts a Spark standalone worker with the pip package of pyspark, which brings no start scripts.
#
#   start-worker.sh spark://MASTER:7077 [--host ADDRESS] [--cores N] [--memory 16g] [--gpus N] [--work-dir DIR] [--webui-port 8081] [--foreground]
#
# Executors run in this environment: what TALKVID_WEIGHTS and the credentials of the object store say here holds for them.
# TALKVID_PYTHON is the Python that has pyspark (default: python3); TALKVID_RUN holds logs, pids and work (default: ~/.talkvid-spark).
# --gpus N announces N GPUs by ../gpus.sh (TALKVID_GPUS names another script). --foreground stays, for systemd and containers.
set -eu
. "$(dirname "$0")/daemon.sh"
foreground=no
master=
host=$(hostname)
cores=$(nproc)
memory=
gpus=0
work=$run/work
webui=8081
while [ $# -gt 0 ]; do
	case $1 in
	spark://*) master=$1; shift ;;
	--host) host=$2; shift 2 ;;
	--cores) cores=$2; shift 2 ;;
	--memory) memory=$2; shift 2 ;;
	--gpus) gpus=$2; shift 2 ;;
	--work-dir) work=$2; shift 2 ;;
	--webui-port) webui=$2; shift 2 ;;
	--foreground) foreground=yes; shift ;;
	*) usage "$0" ;;
	esac
done
[ -n "$master" ] || usage "$0"
if [ "$gpus" -gt 0 ]; then
	script=${TALKVID_GPUS:-$(cd "$(dirname "$0")/.." && pwd)/gpus.sh}
	SPARK_WORKER_OPTS="${SPARK_WORKER_OPTS:-} -Dspark.worker.resource.gpu.amount=$gpus -Dspark.worker.resource.gpu.discoveryScript=$script"
fi
export SPARK_WORKER_OPTS="${SPARK_WORKER_OPTS:-} -Dspark.worker.cleanup.enabled=true"
launch worker org.apache.spark.deploy.worker.Worker --host "$host" --cores "$cores" ${memory:+--memory "$memory"} --work-dir "$work" --webui-port "$webui" "$master"
