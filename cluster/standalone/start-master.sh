#!/bin/sh
# Starts a Spark standalone master with the pip package of pyspark, which brings no start scripts.
#
#   start-master.sh [--host ADDRESS] [--port 7077] [--webui-port 8080] [--foreground]
#
# TALKVID_PYTHON is the Python that has pyspark (default: python3); TALKVID_RUN holds logs and pids (default: ~/.talkvid-spark).
# --foreground stays, for systemd and containers; else it goes on in the background and `stop.sh` ends it.
set -eu
. "$(dirname "$0")/daemon.sh"
foreground=no
host=$(hostname)
port=7077
webui=8080
while [ $# -gt 0 ]; do
	case $1 in
	--host) host=$2; shift 2 ;;
	--port) port=$2; shift 2 ;;
	--webui-port) webui=$2; shift 2 ;;
	--foreground) foreground=yes; shift ;;
	*) usage "$0" ;;
	esac
done
launch master org.apache.spark.deploy.master.Master --host "$host" --port "$port" --webui-port "$webui"
