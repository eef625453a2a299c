#!/bin/bash
# What Spark starts in a pod: `driver …`, `executor`, or any command. The pip package of pyspark brings no such script.
# Spark says by environment variables what an executor is to be (KubernetesExecutorBackend lists its options when given none).
set -eu

start() {
	if command -v tini >/dev/null; then exec tini -s -- "$@"; fi
	exec "$@"
}

: "${SPARK_HOME:?}"
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

case ${1:-} in
driver)
	shift
	start "$SPARK_HOME/bin/spark-submit" \
		--conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS" \
		--conf "spark.executorEnv.SPARK_DRIVER_POD_IP=$SPARK_DRIVER_BIND_ADDRESS" \
		--deploy-mode client "$@"
	;;
executor)
	options=()
	while IFS= read -r name; do
		options+=("${!name}")
	done < <(compgen -e SPARK_JAVA_OPT_ | sort -t_ -k4 -n)
	start "$java" "${options[@]}" "-Xms$SPARK_EXECUTOR_MEMORY" "-Xmx$SPARK_EXECUTOR_MEMORY" \
		-cp "${SPARK_CONF_DIR:+$SPARK_CONF_DIR:}${SPARK_EXTRA_CLASSPATH:+$SPARK_EXTRA_CLASSPATH:}$SPARK_HOME/jars/*" \
		org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
		--driver-url "$SPARK_DRIVER_URL" \
		--executor-id "$SPARK_EXECUTOR_ID" \
		--cores "$SPARK_EXECUTOR_CORES" \
		--app-id "$SPARK_APPLICATION_ID" \
		--hostname "$SPARK_EXECUTOR_POD_IP" \
		--resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" \
		--podName "$SPARK_EXECUTOR_POD_NAME"
	;;
*)
	start "$@"
	;;
esac
