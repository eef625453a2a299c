"""Fields that a SparkApplication (sparkoperator.k8s.io/v1beta2) may have: kubernetes-validate knows nothing of that kind.

The operator's own fields are listed here; where it takes Kubernetes' own structures, their strict schemas decide.
"""

from typing import Any

import kubernetes_validate

_TEXT: dict[str, Any] = {}
_POD = dict.fromkeys(
    [
        *("cores", "coreRequest", "coreLimit", "memory", "memoryOverhead", "image", "env", "envFrom", "envVars", "labels", "annotations", "volumeMounts"),
        *("affinity", "tolerations", "podSecurityContext", "securityContext", "schedulerName", "sidecars", "initContainers", "hostNetwork", "nodeSelector"),
        *(
            "dnsConfig",
            "terminationGracePeriodSeconds",
            "serviceAccount",
            "hostAliases",
            "shareProcessNamespace",
            "runtimeClassName",
            "template",
            "javaOptions",
        ),
        *("lifecycle", "priorityClassName"),
    ],
    _TEXT,
) | {"gpu": dict.fromkeys(["name", "quantity"], _TEXT)}
_RETRIES = ["type", "onFailureRetries", "onFailureRetryInterval", "onSubmissionFailureRetries", "onSubmissionFailureRetryInterval"]
_SPEC: dict[str, Any] = dict.fromkeys(
    [
        *("type", "sparkVersion", "mode", "proxyUser", "image", "imagePullPolicy", "imagePullSecrets", "mainClass", "mainApplicationFile", "arguments"),
        *("sparkConf", "hadoopConf", "sparkConfigMap", "hadoopConfigMap", "volumes", "nodeSelector", "pythonVersion", "memoryOverheadFactor"),
        *("batchScheduler", "timeToLiveSeconds", "retryInterval", "failureRetries"),
    ],
    _TEXT,
) | {
    "restartPolicy": dict.fromkeys(_RETRIES, _TEXT),
    "deps": dict.fromkeys(["jars", "files", "pyFiles", "packages", "excludePackages", "repositories", "archives"], _TEXT),
    "batchSchedulerOptions": dict.fromkeys(["queue", "priorityClassName", "resources"], _TEXT),
    "dynamicAllocation": dict.fromkeys(["enabled", "initialExecutors", "minExecutors", "maxExecutors"], _TEXT),
    "driver": _POD | dict.fromkeys(["podName", "kubernetesMaster", "serviceAnnotations", "serviceLabels"], _TEXT),
    "executor": _POD | dict.fromkeys(["instances", "deleteOnTermination"], _TEXT),
}
ALLOWED = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": dict.fromkeys(["name", "namespace", "labels", "annotations"], _TEXT), "spec": _SPEC}
REQUIRED = ("type", "sparkVersion", "mainApplicationFile", "driver", "executor")


def unknown_fields(application: dict) -> list[str]:
    """Complaints: fields that the kind does not have, and those that it must have."""
    lacking = [f"spec.{name} is missing" for name in REQUIRED if name not in application["spec"]]
    return [*_unknown(application, ALLOWED, ""), *lacking, *_pods(application["spec"])]


def _unknown(value: Any, allowed: dict[str, Any], path: str) -> list[str]:
    found = []
    for name, inner in value.items():
        place = f"{path}.{name}".lstrip(".")
        if name not in allowed:
            found.append(f"{place} is no field of a SparkApplication")
        elif allowed[name] and isinstance(inner, dict):
            found += _unknown(inner, allowed[name], place)
    return found


def _pods(spec: dict) -> list[str]:
    """Complaints of Kubernetes' schema about the pods that the parts describe."""
    found = []
    for part in ("driver", "executor"):
        said = spec[part]
        container = {"name": part, "image": spec["image"]} | {
            name: said[name] for name in ("env", "envFrom", "volumeMounts", "securityContext") if name in said
        }
        pod = {"containers": [container], "volumes": spec.get("volumes", []), "tolerations": said.get("tolerations", [])}
        pod |= {"securityContext": said["podSecurityContext"]} if "podSecurityContext" in said else {}
        try:
            kubernetes_validate.validate({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": part}, "spec": pod}, "1.34", strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"spec.{part}: {error}")
    return list(dict.fromkeys(complaint.partition(": ")[2] if "volumes" in complaint else complaint for complaint in found))
