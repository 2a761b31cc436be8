"""Rules about one workload's own pods: labels, completeness, hardening, names."""

import re
from collections.abc import Iterator
from typing import Any

from tools.k8s_check.manifests import (
    Document,
    Finding,
    Manifests,
    containers,
    pod_labels,
    pod_spec,
    walk,
    where,
)

# resource.Quantity of the Kubernetes API: a decimal and at most one suffix, nothing between.
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
# RFC 1123 label, the strictest of the name rules.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PORT_KEYS = {"port", "containerPort", "targetPort", "hostPort", "nodePort"}
_POD_HARDENING = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
_CONTAINER_HARDENING = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def selector_is_labels(manifests: Manifests) -> Iterator[Finding]:
    """A Deployment's selector and its spread constraints name labels that its pods carry."""
    for workload in manifests.of_kind("Deployment", "StatefulSet", "DaemonSet"):
        spread = pod_spec(workload).get("topologySpreadConstraints", [])
        for selector in (workload["spec"]["selector"], *(s["labelSelector"] for s in spread)):
            missing = selector.get("matchLabels", {}).items() - pod_labels(workload).items()
            if missing:
                yield Finding(
                    where(workload),
                    "selector",
                    f"selects {dict(missing)}, which its pods do not carry; use the same labels",
                )


def container_is_complete(manifests: Manifests) -> Iterator[Finding]:
    """Image, CPU and memory requests and a memory limit are said, in quantities that parse."""
    for workload, container in _each_container(manifests):
        resources = container.get("resources", {})
        needed = {
            "image": container.get("image"),
            "resources.requests.cpu": resources.get("requests", {}).get("cpu"),
            "resources.requests.memory": resources.get("requests", {}).get("memory"),
            "resources.limits.memory": resources.get("limits", {}).get("memory"),
        }
        for field, value in needed.items():
            if value is None:
                yield _at(workload, container, "complete", f"{field} is missing; say it")
            elif field != "image" and not _QUANTITY.fullmatch(str(value)):
                message = f"{field} {value!r} is no quantity; write it as 250m or 512Mi"
                yield _at(workload, container, "complete", message)


def container_has_probes(manifests: Manifests) -> Iterator[Finding]:
    """Each container that serves has start-up, readiness and liveness probes on a port it opens."""
    for workload in manifests.of_kind("Deployment", "StatefulSet", "DaemonSet"):
        for container in pod_spec(workload)["containers"]:
            opened = {port["containerPort"] for port in container.get("ports", [])}
            for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                probe = container.get(kind)
                if probe is None:
                    yield _at(workload, container, "probes", f"{kind} is missing; add it")
                    continue
                number = probe.get("grpc", probe.get("httpGet", {})).get("port")
                if isinstance(number, int) and number not in opened:
                    message = f"{kind} asks port {number}, which is not among its ports"
                    yield _at(workload, container, "probes", message)


def pod_is_restricted(manifests: Manifests) -> Iterator[Finding]:
    """Pods meet the *restricted* Pod Security Standard and have a read-only root."""
    for workload in manifests.workloads():
        spec = pod_spec(workload)
        for field, value in _POD_HARDENING.items():
            if spec.get("securityContext", {}).get(field) != value:
                message = f"pod securityContext.{field} must be {value}"
                yield Finding(where(workload), "restricted", message)
        for forbidden in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(forbidden):
                yield Finding(where(workload), "restricted", f"{forbidden} must not be set")
    for workload, container in _each_container(manifests):
        context = container.get("securityContext", {})
        for field, value in _CONTAINER_HARDENING.items():
            if context.get(field) != value:
                message = f"securityContext.{field} must be {value}"
                yield _at(workload, container, "restricted", message)
        if context.get("runAsNonRoot") is False or context.get("privileged"):
            yield _at(workload, container, "restricted", "it must not lift what the pod forbids")


def ports_in_range(manifests: Manifests) -> Iterator[Finding]:
    """Every port number is one that can be bound: 1 to 65535."""
    for document in manifests.documents:
        for key, value in walk(document.get("spec", {})):
            if key in _PORT_KEYS and isinstance(value, int) and not 1 <= value <= 65535:
                yield Finding(where(document), "ports", f"{key} {value} is not in 1..65535")


def names_lower_case(manifests: Manifests) -> Iterator[Finding]:
    """Documents and containers have names that every kind of object accepts."""
    for document in manifests.documents:
        named = [document["metadata"]["name"]]
        if "template" in document.get("spec", {}):
            named += [container["name"] for container in containers(document)]
        for name in named:
            if not _NAME.fullmatch(name):
                message = f"{name!r} must be lower-case letters, digits and inner dashes"
                yield Finding(where(document), "names", message)


def image_is_pinned(manifests: Manifests) -> Iterator[Finding]:
    """Production names the image by version or digest, so that a restart changes nothing."""
    for workload, container in _each_container(manifests):
        image = str(container.get("image", ""))
        if "@sha256:" in image:
            continue
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest", "dev"):
            message = f"image {image!r} can change under the same name; give a version or digest"
            yield _at(workload, container, "image", message)


def _each_container(manifests: Manifests) -> Iterator[tuple[Document, Document]]:
    for workload in manifests.workloads():
        for container in containers(workload):
            yield workload, container


def _at(workload: Document, container: dict[str, Any], rule: str, message: str) -> Finding:
    return Finding(f"{where(workload)} container {container['name']}", rule, message)
