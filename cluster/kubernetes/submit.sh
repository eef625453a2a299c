#!/bin/sh
# Runs a verb on Kubernetes, driver and executors in pods of one image:
#
#   submit.sh VERB [FLAGS…]         for example: submit.sh score --lake s3a://bucket/lake
#
# Settings by environment: API (https://HOST:6443), IMAGE, NAMESPACE (default: talkvid), DEFAULTS (what `talkvid cluster-conf --manager
# kubernetes` printed), INSTANCES (executors, over what DEFAULTS says), TALKVID_WEIGHTS (where pods find weights: a prefix in a store, s3a://…),
# CONF (more "K=V" settings, divided by blanks).
# Before: kubectl create namespace talkvid; kubectl apply -n talkvid -f access.yaml; kubectl create secret generic talkvid-store … for the lake.
# The driver's log: kubectl logs -n talkvid -l spark-app-name=talkvid-VERB,spark-role=driver -f
set -eu
[ $# -gt 0 ] || { sed -n '2,/^set -eu/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
verb=$1
shift
file=$(echo "$verb" | tr - _)
set -- "local:///opt/talkvid/jobs/$file.py" "$@"
for setting in ${CONF:-}; do set -- --conf "$setting" "$@"; done
[ -z "${TALKVID_WEIGHTS:-}" ] || set -- \
	--conf "spark.kubernetes.driverEnv.TALKVID_WEIGHTS=$TALKVID_WEIGHTS" --conf "spark.executorEnv.TALKVID_WEIGHTS=$TALKVID_WEIGHTS" "$@"
[ -z "${INSTANCES:-}" ] || set -- --conf "spark.executor.instances=$INSTANCES" "$@"
[ -z "${DEFAULTS:-}" ] || set -- --properties-file "$DEFAULTS" "$@"
exec "${SPARK_SUBMIT:-spark-submit}" \
	--master "k8s://${API:?the address of the API server, https://HOST:6443}" \
	--deploy-mode cluster \
	--name "talkvid-$verb" \
	--conf "spark.kubernetes.namespace=${NAMESPACE:-talkvid}" \
	--conf "spark.kubernetes.container.image=${IMAGE:?the image, see Dockerfile}" \
	--conf spark.kubernetes.authenticate.driver.serviceAccountName=talkvid \
	--conf "spark.kubernetes.driver.podTemplateFile=$here/driver.yaml" \
	--conf "spark.kubernetes.executor.podTemplateFile=$here/executor.yaml" \
	--conf spark.kubernetes.driverEnv.TALKVID_SCRATCH=/scratch \
	--conf spark.kubernetes.submission.waitAppCompletion="${WAIT:-true}" \
	"$@"
