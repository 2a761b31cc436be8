"""One rendered overlay, and the few questions that rules ask of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# A Kubernetes document as YAML gives it: nested dicts and lists.
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule at one document: what is wrong and what to do."""

    where: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}: {self.message}"


@dataclass(frozen=True, slots=True)
class Manifests:
    """All documents of one overlay, in the order rendered."""

    documents: list[Document]

    def of_kind(self, *kinds: str) -> Iterator[Document]:
        """Documents of the kinds, in order."""
        return (document for document in self.documents if document["kind"] in kinds)

    def names(self, kind: str) -> set[str]:
        """Names of all documents of a kind."""
        return {document["metadata"]["name"] for document in self.of_kind(kind)}

    def workloads(self) -> Iterator[Document]:
        """Documents that make pods from a template."""
        return self.of_kind("Deployment", "StatefulSet", "DaemonSet", "Job")

    def selected_by(self, labels: dict[str, str] | None) -> list[Document]:
        """Workloads whose pods carry all the labels; none for an empty selector."""
        if not labels:
            return []
        return [w for w in self.workloads() if labels.items() <= pod_labels(w).items()]


def where(document: Document) -> str:
    """How findings name a document: Kind/name."""
    return f"{document['kind']}/{document['metadata']['name']}"


def pod_spec(workload: Document) -> Document:
    """The spec of the pods a workload makes."""
    spec: Document = workload["spec"]["template"]["spec"]
    return spec


def pod_labels(workload: Document) -> dict[str, str]:
    """The labels of the pods a workload makes."""
    labels: dict[str, str] = workload["spec"]["template"].get("metadata", {}).get("labels", {})
    return labels


def containers(workload: Document) -> list[Document]:
    """All containers of a workload's pods, init containers first."""
    spec = pod_spec(workload)
    return [*spec.get("initContainers", []), *spec.get("containers", [])]


def walk(node: Any) -> Iterator[tuple[str, Any]]:
    """Every (key, value) below a node, at any depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from walk(value)
    elif isinstance(node, list):
        for item in node:
            yield from walk(item)
