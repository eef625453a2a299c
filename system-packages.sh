#!/bin/sh
# Programs that come from the distribution: ffmpeg, a Java 17 or 21, and Python's venv. Installs what is missing when root,
# else prints the one command that does.
set -eu
missing=""
command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null || missing="$missing ffmpeg"
if [ -z "${JAVA_HOME:-}" ] && ! command -v java >/dev/null; then missing="$missing JAVA"; fi
if [ ! -x .venv/bin/pip ] && ! python3 -c 'import ensurepip' 2>/dev/null; then missing="$missing python3-venv"; fi
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || { echo "please install:$missing (JAVA = Java 17 or 21)"; exit 3; }
if [ "$(id -u)" != 0 ]; then
	echo "some programs are missing; run this once, then again what you ran:"
	echo "  sudo apt-get update && sudo apt-get install -y$(echo "$missing" | sed 's/JAVA/default-jre-headless/')"
	exit 3
fi
echo "programs from the distribution:$missing …"
apt-get update -qq
java=""
for candidate in openjdk-17-jre-headless openjdk-21-jre-headless; do
	if [ -n "$(apt-cache search --names-only "^$candidate\$")" ]; then java=$candidate; break; fi
done
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(echo "$missing" | sed "s/JAVA/${java:-default-jre-headless}/") >/dev/null
