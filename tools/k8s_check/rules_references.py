"""Rules about names that point from one document to another: nothing may point into the void."""

import re
from collections.abc import Iterator

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

# The addresses of our services in the settings: dns:///<service>:<port>.
_ADDRESS = re.compile(r"dns:///(?P<name>[^:/]+):(?P<port>\d+)")


def named_port_exists(manifests: Manifests) -> Iterator[Finding]:
    """A probe's or a Service's port name is opened under that name by the pods behind it."""
    for workload in manifests.workloads():
        for container in containers(workload):
            for key, probe in container.items():
                port = probe.get("httpGet", {}).get("port") if key.endswith("Probe") else None
                if isinstance(port, str) and port not in _opened(container):
                    message = f"{key} asks port {port!r}, which container {container['name']} lacks"
                    yield Finding(where(workload), "named port", message)
    for service in manifests.of_kind("Service"):
        for workload in manifests.selected_by(service["spec"].get("selector")):
            opened = {name for c in containers(workload) for name in _opened(c)}
            for port in service["spec"].get("ports", []):
                if port.get("targetPort", port["port"]) not in opened:
                    message = f"targetPort of {port.get('name')!r} is no port of {where(workload)}"
                    yield Finding(where(service), "named port", message)


def service_selects_something(manifests: Manifests) -> Iterator[Finding]:
    """Every Service has pods behind it."""
    for service in manifests.of_kind("Service"):
        if not manifests.selected_by(service["spec"].get("selector")):
            yield Finding(where(service), "service", "selects no pod; copy the Deployment's labels")


def ingress_has_backend(manifests: Manifests) -> Iterator[Finding]:
    """Every backend of an Ingress is a Service that exists, at a port it has."""
    services = {service["metadata"]["name"]: service for service in manifests.of_kind("Service")}
    for ingress in manifests.of_kind("Ingress"):
        for key, backend in walk(ingress["spec"]):
            if key != "service":
                continue
            service = services.get(backend["name"])
            ports = service["spec"]["ports"] if service else []
            wanted = backend["port"].get("name", backend["port"].get("number"))
            if not any(wanted in (port.get("name"), port["port"]) for port in ports):
                message = f"backend {backend['name']}:{wanted} does not exist; name a Service port"
                yield Finding(where(ingress), "ingress", message)


def budget_has_target(manifests: Manifests) -> Iterator[Finding]:
    """A disruption budget selects pods and never blocks a drain; every Deployment has one."""
    covered: set[str] = set()
    for budget in manifests.of_kind("PodDisruptionBudget"):
        targets = manifests.selected_by(budget["spec"]["selector"].get("matchLabels"))
        covered |= {where(target) for target in targets}
        if not targets:
            yield Finding(where(budget), "budget", "selects no pod; copy the Deployment's labels")
        if budget["spec"].get("maxUnavailable") in (None, 0, "0%"):
            message = "must say maxUnavailable of at least 1, else one replica blocks a drain"
            yield Finding(where(budget), "budget", message)
    for deployment in manifests.of_kind("Deployment"):
        if where(deployment) not in covered:
            message = "has no PodDisruptionBudget; add one to its file"
            yield Finding(where(deployment), "budget", message)


def autoscaler_has_target(manifests: Manifests) -> Iterator[Finding]:
    """An autoscaler scales a workload that exists and whose manifest leaves the number to it."""
    workloads = {where(workload): workload for workload in manifests.workloads()}
    for scaler in manifests.of_kind("HorizontalPodAutoscaler"):
        reference = scaler["spec"]["scaleTargetRef"]
        target = workloads.get(f"{reference['kind']}/{reference['name']}")
        if target is None:
            message = f"scales {reference['kind']}/{reference['name']}, which does not exist"
            yield Finding(where(scaler), "autoscaler", message)
        elif "replicas" in target["spec"]:
            message = f"{where(target)} also says replicas: each apply would undo the autoscaler"
            yield Finding(where(scaler), "autoscaler", message)


def network_policy_per_app(manifests: Manifests) -> Iterator[Finding]:
    """Everything is denied by one policy, and each workload has one that allows what it needs."""
    selectors = [policy["spec"] for policy in manifests.of_kind("NetworkPolicy")]
    denies = [
        spec
        for spec in selectors
        if not spec["podSelector"]
        and set(spec.get("policyTypes", [])) == {"Ingress", "Egress"}
        and not spec.get("ingress")
        and not spec.get("egress")
    ]
    if not denies:
        message = "no policy denies everything; keep network/deny-all.yaml"
        yield Finding("NetworkPolicy", "network", message)
    for workload in manifests.workloads():
        labels = pod_labels(workload).items()
        chosen = (spec["podSelector"].get("matchLabels", {}).items() for spec in selectors)
        if not any(wanted and wanted <= labels for wanted in chosen):
            message = "no NetworkPolicy allows it anything; add network/<name>.yaml"
            yield Finding(where(workload), "network", message)
    for policy in manifests.of_kind("NetworkPolicy"):
        wanted = policy["spec"]["podSelector"].get("matchLabels")
        if wanted and not manifests.selected_by(wanted):
            yield Finding(where(policy), "network", f"selects no pod: {wanted}")


def account_exists(manifests: Manifests) -> Iterator[Finding]:
    """Every workload runs as a ServiceAccount of its own that exists, without an API token."""
    accounts = manifests.names("ServiceAccount")
    for workload in manifests.workloads():
        spec = pod_spec(workload)
        account = spec.get("serviceAccountName")
        if account not in accounts:
            message = f"serviceAccountName {account!r} does not exist; add the ServiceAccount"
            yield Finding(where(workload), "account", message)
        if spec.get("automountServiceAccountToken") is not False:
            message = "must say automountServiceAccountToken: false; we never call the API server"
            yield Finding(where(workload), "account", message)


def mounted_object_exists(manifests: Manifests) -> Iterator[Finding]:
    """ConfigMaps and volume claims that pods name exist, and each mount has its volume.

    Secrets are not looked for: in production they come from outside the manifests.
    """
    for workload in manifests.workloads():
        spec = pod_spec(workload)
        for key, value in walk(spec):
            if key in ("configMapRef", "configMapKeyRef"):
                wanted, kind = value["name"], "ConfigMap"
            elif key == "persistentVolumeClaim":
                wanted, kind = value["claimName"], "PersistentVolumeClaim"
            else:
                continue
            if wanted not in manifests.names(kind):
                yield Finding(where(workload), "mount", f"{kind}/{wanted} does not exist; add it")
        volumes = {volume["name"] for volume in spec.get("volumes", [])}
        for container in containers(workload):
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    message = f"volume {mount['name']!r} does not exist in the pod; add it"
                    yield Finding(where(workload), "mount", message)


def address_has_service(manifests: Manifests) -> Iterator[Finding]:
    """Every dns:/// address in the settings is a headless Service at a port it has."""
    ports = {
        service["metadata"]["name"]: {port["port"] for port in service["spec"]["ports"]}
        for service in manifests.of_kind("Service")
        if service["spec"].get("clusterIP") == "None"
    }
    for settings in manifests.of_kind("ConfigMap"):
        for key, value in settings.get("data", {}).items():
            address = _ADDRESS.fullmatch(value)
            if address and int(address["port"]) not in ports.get(address["name"], set()):
                message = f"{key}={value} is no headless Service; gRPC could not spread its calls"
                yield Finding(where(settings), "address", message)


def _opened(container: Document) -> set[str | int]:
    """Ports of a container, by name and by number."""
    ports = container.get("ports", [])
    return {p["name"] for p in ports if "name" in p} | {p["containerPort"] for p in ports}
