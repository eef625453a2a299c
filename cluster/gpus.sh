#!/bin/sh
# The GPUs of this machine as Spark wants them: {"name": "gpu", "addresses": ["0", "1"]}. One script for all managers.
#
# Where the manager gives each executor its own devices (standalone's worker, Kubernetes, YARN with isolation) it lists what nvidia-smi shows.
# Where it hands out a count only (YARN without isolation) every executor of a node would take the first: there set
# TALKVID_GPU_CLAIM=1 (spark.executorEnv.TALKVID_GPU_CLAIM), and the script lists one GPU that no living executor has claimed.
# Executors of a node must share the folder for claims (TALKVID_GPU_CLAIMS, default: below /tmp) and the process ids.
set -eu

listed=$(nvidia-smi --query-gpu=index --format=csv,noheader) || { echo "gpus.sh: nvidia-smi gives no list of GPUs" >&2; exit 1; }

announce() {
	printf '{"name": "gpu", "addresses": ['
	separator=
	for index in "$@"; do
		printf '%s"%s"' "$separator" "$index"
		separator=', '
	done
	printf ']}\n'
}

# A process as its id and its start, so that a new process with the id of a dead one is not taken for it; empty when it is gone.
life() {
	[ -r "/proc/$1/stat" ] || return 0
	sed 's/.*) //' "/proc/$1/stat" | { read -r state _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ start _; [ "$state" = Z ] || echo "$1 $start"; }
}

if [ -z "${TALKVID_GPU_CLAIM:-}" ]; then
	announce $listed
	exit 0
fi

claims=${TALKVID_GPU_CLAIMS:-/tmp/talkvid-gpus-$(id -u)}
mkdir -p -m 700 "$claims"
exec 9>"$claims/lock"
flock 9
me=$(life "$PPID")
for index in $listed; do
	owner=$(cat "$claims/$index" 2>/dev/null || true)
	if [ -z "$owner" ] || [ "$owner" = "$me" ] || [ "$(life "${owner%% *}")" != "$owner" ]; then
		echo "$me" >"$claims/$index"
		announce "$index"
		exit 0
	fi
done
echo "gpus.sh: every GPU of this node is claimed by a living executor" >&2
exit 1
