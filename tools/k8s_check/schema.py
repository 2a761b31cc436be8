"""Strict validation against the published schemas: a misspelt or misplaced field is a finding."""

from collections.abc import Iterator

import kubernetes_validate
from kubernetes_validate.utils import SchemaNotFoundError

from tools.k8s_check.manifests import Finding, Manifests, where

# The oldest version that has every field we use (preStop.sleep, unhealthyPodEvictionPolicy), and
# the newest that the schemas cover: what both accept, all between accept.
VERSIONS = ("1.31", "1.37")


def check(manifests: Manifests) -> Iterator[Finding]:
    """One finding per document and version that the schema refuses."""
    for document in manifests.documents:
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                path = ".".join(str(part) for part in error.path)
                yield Finding(where(document), f"schema {version}", f"{path}: {error.message}")
            except SchemaNotFoundError as error:
                yield Finding(where(document), f"schema {version}", error.message)
