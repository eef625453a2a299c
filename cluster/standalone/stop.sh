#!/bin/sh
# Stops what start-master.sh and start-worker.sh left in the background, and only that.
set -eu
. "$(dirname "$0")/daemon.sh"
for file in "$run"/worker.pid "$run"/master.pid; do
	[ -f "$file" ] || continue
	pid=$(cat "$file")
	# The number may be another process's by now: look at what it runs.
	if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'org.apache.spark.deploy'; then
		kill "$pid"
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do kill -0 "$pid" 2>/dev/null || break; sleep 0.5; done
	fi
	rm -f "$file"
done
