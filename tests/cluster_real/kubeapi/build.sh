#!/bin/sh
# build.sh OUT: builds main.go beside it. Needs Go, and minutes: it compiles all of Kubernetes' API server.
# k8s.io/kubernetes points at folders of its own repository for the modules k8s.io/*; here their published versions take their place.
set -eu
version=1.34.1
out=$1
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp "$here/main.go" "$folder"
cd "$folder"
export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0
go mod init kubeapi 2>/dev/null
module=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')
for name in $(sed -n 's#^[[:space:]]*\(k8s.io/[^ ]*\) => ./staging/.*#\1#p' "$module"); do
	go mod edit -replace "$name=$name@v0${version#1}"
done
go mod edit -require "k8s.io/kubernetes@v$version"
awk '/^require/ {inside = 1; next} /^\)/ {inside = 0} inside && !/v0\.0\.0/ {print $1 "@" $2}' "$module" | while read -r needed; do
	go mod edit -require "$needed"
done
minor=${version#1.}
flags="-s -w -X k8s.io/component-base/version.gitVersion=v$version -X k8s.io/component-base/version.gitMajor=1"
go build -ldflags "$flags -X k8s.io/component-base/version.gitMinor=${minor%%.*}" -o "$out.partial" .
mv "$out.partial" "$out"
