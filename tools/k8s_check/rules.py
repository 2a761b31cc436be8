"""Our own rules: what a strict schema lets pass and a cluster would only show at night.

Each rule takes the manifests of one overlay and yields findings. The list at the end is the order
in which they run.
"""

from collections.abc import Callable, Iterator

from tools.k8s_check import rules_pods, rules_references
from tools.k8s_check.manifests import Finding, Manifests

Rule = Callable[[Manifests], Iterator[Finding]]

ALWAYS: tuple[Rule, ...] = (
    rules_pods.selector_is_labels,
    rules_pods.container_is_complete,
    rules_pods.container_has_probes,
    rules_pods.pod_is_restricted,
    rules_pods.ports_in_range,
    rules_pods.names_lower_case,
    rules_references.named_port_exists,
    rules_references.service_selects_something,
    rules_references.ingress_has_backend,
    rules_references.budget_has_target,
    rules_references.autoscaler_has_target,
    rules_references.network_policy_per_app,
    rules_references.account_exists,
    rules_references.mounted_object_exists,
    rules_references.address_has_service,
)
PRODUCTION: tuple[Rule, ...] = (rules_pods.image_is_pinned,)


def check(manifests: Manifests, *, overlay: str) -> Iterator[Finding]:
    """All findings of one overlay; production has stricter rules on top."""
    for rule in ALWAYS + (PRODUCTION if overlay == "production" else ()):
        yield from rule(manifests)
