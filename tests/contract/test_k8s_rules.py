"""Each manifest rule lets a good document set pass and finds what a bad one does.

The good sample is one small app written out below; each bad sample is that app with one change.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import yaml

from tools.k8s_check import rules, schema
from tools.k8s_check.manifests import Document, Manifests

GOOD = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {ADDRESS: "dns:///shop:9090", OTHER: "nats://nats:4222"}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: files}
spec:
  accessModes: [ReadWriteMany]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  clusterIP: None
  selector: {app: shop}
  ports: [{name: grpc, port: 9090, targetPort: grpc}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  rules:
    - http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: shop, port: {name: grpc}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: shop}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: shop}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  maxReplicas: 3
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny-all}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop}
spec:
  podSelector: {matchLabels: {app: shop}}
  policyTypes: [Ingress]
  ingress: [{ports: [{port: 9090}]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      serviceAccountName: shop
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: process
          image: shop:1.2.3
          envFrom: [{configMapRef: {name: config}}]
          ports: [{name: grpc, containerPort: 9090}, {name: metrics, containerPort: 9100}]
          startupProbe: {grpc: {port: 9090}}
          readinessProbe: {grpc: {port: 9090}}
          livenessProbe: {httpGet: {path: /healthz, port: metrics}}
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          volumeMounts: [{name: files, mountPath: /data}]
      volumes: [{name: files, persistentVolumeClaim: {claimName: files}}]
"""
_GOOD = list(yaml.safe_load_all(GOOD))

# A change of the good sample: it gets the documents by Kind/name.
Change = Callable[[dict[str, Document]], object]


def _sample(change: Change | None = None) -> Manifests:
    documents = deepcopy(_GOOD)
    if change is not None:
        change({f"{d['kind']}/{d['metadata']['name']}": d for d in documents})
    return Manifests([document for document in documents if document])


def _put(document: str, path: str, value: Any) -> Change:
    """A change that sets the value at a dotted path (numbers index lists)."""

    def change(documents: dict[str, Document]) -> None:
        *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        node: Any = documents[document]
        for parent in parents:
            node = node[parent]
        if value is None:
            del node[last]
        else:
            node[last] = value

    return change


def _without(document: str) -> Change:
    return lambda documents: documents[document].clear()


POD = "spec.template.spec"
BOX = f"{POD}.containers.0"
APP = "Deployment/shop"

BAD: dict[str, tuple[str, Change]] = {
    "selector differs from labels": (
        "selector",
        _put(APP, "spec.selector.matchLabels", {"app": "shoop"}),
    ),
    "spread selects nobody": (
        "selector",
        _put(
            APP,
            f"{POD}.topologySpreadConstraints",
            [{"labelSelector": {"matchLabels": {"a": "b"}}}],
        ),
    ),
    "no image": ("complete", _put(APP, f"{BOX}.image", None)),
    "no memory limit": ("complete", _put(APP, f"{BOX}.resources.limits", {})),
    "no requests": ("complete", _put(APP, f"{BOX}.resources.requests", None)),
    "quantity with a space": ("complete", _put(APP, f"{BOX}.resources.limits.memory", "50 mm")),
    "no readiness probe": ("probes", _put(APP, f"{BOX}.readinessProbe", None)),
    "probe of a closed port": ("probes", _put(APP, f"{BOX}.startupProbe.grpc.port", 9091)),
    "may be root": ("restricted", _put(APP, f"{POD}.securityContext.runAsNonRoot", False)),
    "no seccomp": ("restricted", _put(APP, f"{POD}.securityContext.seccompProfile", None)),
    "host network": ("restricted", _put(APP, f"{POD}.hostNetwork", True)),
    "keeps capabilities": ("restricted", _put(APP, f"{BOX}.securityContext.capabilities", {})),
    "may escalate": (
        "restricted",
        _put(APP, f"{BOX}.securityContext.allowPrivilegeEscalation", True),
    ),
    "writable root": (
        "restricted",
        _put(APP, f"{BOX}.securityContext.readOnlyRootFilesystem", None),
    ),
    "privileged": ("restricted", _put(APP, f"{BOX}.securityContext.privileged", True)),
    "port too high": ("ports", _put(APP, f"{BOX}.ports.0.containerPort", 99999)),
    "upper-case name": ("names", _put(APP, "metadata.name", "Shop")),
    "upper-case container": ("names", _put(APP, f"{BOX}.name", "Process")),
    "probe of a nameless port": (
        "named port",
        _put(APP, f"{BOX}.livenessProbe.httpGet.port", "http"),
    ),
    "service to a nameless port": (
        "named port",
        _put("Service/shop", "spec.ports.0.targetPort", "http"),
    ),
    "service selects nobody": ("service", _put("Service/shop", "spec.selector", {"app": "x"})),
    "service without selector": ("service", _put("Service/shop", "spec.selector", None)),
    "ingress to nowhere": (
        "ingress",
        _put("Ingress/shop", "spec.rules.0.http.paths.0.backend.service.name", "shoop"),
    ),
    "ingress to a closed port": (
        "ingress",
        _put("Ingress/shop", "spec.rules.0.http.paths.0.backend.service.port", {"number": 80}),
    ),
    "budget selects nobody": (
        "budget",
        _put("PodDisruptionBudget/shop", "spec.selector.matchLabels", {"app": "x"}),
    ),
    "budget blocks a drain": (
        "budget",
        _put("PodDisruptionBudget/shop", "spec.maxUnavailable", 0),
    ),
    "no budget": ("budget", _without("PodDisruptionBudget/shop")),
    "autoscaler of nobody": (
        "autoscaler",
        _put("HorizontalPodAutoscaler/shop", "spec.scaleTargetRef.name", "shoop"),
    ),
    "autoscaler and replicas": ("autoscaler", _put(APP, "spec.replicas", 2)),
    "no deny-all": ("network", _without("NetworkPolicy/deny-all")),
    "deny-all allows": ("network", _put("NetworkPolicy/deny-all", "spec.egress", [{}])),
    "no policy of its own": ("network", _without("NetworkPolicy/shop")),
    "policy of nobody": (
        "network",
        _put("NetworkPolicy/shop", "spec.podSelector.matchLabels", {"app": "x"}),
    ),
    "account missing": ("account", _without("ServiceAccount/shop")),
    "account of default": ("account", _put(APP, f"{POD}.serviceAccountName", None)),
    "token mounted": ("account", _put(APP, f"{POD}.automountServiceAccountToken", True)),
    "settings missing": ("mount", _without("ConfigMap/config")),
    "claim missing": ("mount", _without("PersistentVolumeClaim/files")),
    "volume missing": ("mount", _put(APP, f"{POD}.volumes", [])),
    "address of nobody": ("address", _put("ConfigMap/config", "data.ADDRESS", "dns:///x:9090")),
    "address at a closed port": (
        "address",
        _put("ConfigMap/config", "data.ADDRESS", "dns:///shop:80"),
    ),
    "address not headless": ("address", _put("Service/shop", "spec.clusterIP", None)),
    "image latest": ("image", _put(APP, f"{BOX}.image", "shop:latest")),
    "image without tag": ("image", _put(APP, f"{BOX}.image", "host:5000/shop")),
}


def test_good_sample_has_no_finding() -> None:
    good = _sample()

    assert list(rules.check(good, overlay="production")) == []
    assert list(schema.check(good)) == []


@pytest.mark.parametrize("name", BAD)
def test_bad_sample_is_found(name: str) -> None:
    rule, change = BAD[name]

    findings = list(rules.check(_sample(change), overlay="production"))

    assert rule in {finding.rule for finding in findings}


def test_every_rule_has_a_bad_sample() -> None:
    every, samples = (
        rules.ALWAYS + rules.PRODUCTION,
        [_sample(change) for _, change in BAD.values()],
    )

    fired = {rule.__name__ for rule in every if any(list(rule(sample)) for sample in samples)}

    assert fired == {rule.__name__ for rule in every}


def test_a_pinned_image_by_digest_passes_and_dev_may_float() -> None:
    digest = _sample(_put(APP, f"{BOX}.image", "host:5000/shop@sha256:" + "0" * 64))
    floating = _sample(_put(APP, f"{BOX}.image", "shop:latest"))

    assert list(rules.check(digest, overlay="production")) == []
    assert list(rules.check(floating, overlay="dev")) == []


def test_schema_refuses_a_misspelt_field() -> None:
    misspelt = _sample(_put(APP, f"{BOX}.livenesProbe", {}))

    findings = list(schema.check(misspelt))

    assert [finding.rule for finding in findings] == ["schema 1.31", "schema 1.37"]
    assert "livenesProbe" in findings[0].message


def test_schema_refuses_an_unknown_kind() -> None:
    unknown = _sample(_put(APP, "kind", "Deploymint"))

    assert any("deploymint" in f.message.lower() for f in schema.check(unknown))
