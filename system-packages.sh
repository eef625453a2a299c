#!/bin/sh
# Programs that come from the distribution: ffmpeg, a Java 17 or 21, and Python's venv. Installs what is missing when root,
# else prints the one command that does.
set -eu

# The versions that Spark runs on stand in cluster/java.py too.
java_fits() { "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | grep -Eq 'version "(17|21)([^0-9]|$)'; }

missing=""
command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null || missing="$missing ffmpeg"
if ! java_fits; then
	if [ -n "${JAVA_HOME:-}" ]; then
		echo "JAVA_HOME=$JAVA_HOME is no Java 17 or 21, on which Spark runs: set it to one, or unset it, and run this again"
		exit 3
	fi
	missing="$missing JAVA"
fi
if [ ! -x .venv/bin/pip ] && ! python3 -c 'import ensurepip' 2>/dev/null; then missing="$missing python3-venv"; fi
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || { echo "please install:$missing (JAVA = Java 17 or 21)"; exit 3; }
root=false
[ "$(id -u)" != 0 ] || { root=true; echo "programs from the distribution:$missing …"; apt-get update -qq; }
java=openjdk-17-jre-headless
for candidate in openjdk-17-jre-headless openjdk-21-jre-headless; do
	if [ -n "$(apt-cache search --names-only "^$candidate\$")" ]; then java=$candidate; break; fi
done
packages=$(echo "$missing" | sed "s/JAVA/$java/")
if ! $root; then
	echo "some programs are missing; run this once, then again what you ran:"
	echo "  sudo apt-get update && sudo apt-get install -y$packages"
	exit 3
fi
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages >/dev/null
java_fits || { echo "java on the path is still no Java 17 or 21: set JAVA_HOME to the one that was installed, below /usr/lib/jvm, and run this again"; exit 3; }
