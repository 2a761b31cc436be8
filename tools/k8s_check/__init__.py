"""Checks the Kubernetes manifests: renders each overlay, validates strictly, applies our own rules.

`python -m tools.k8s_check` is `make k8s-check`. It needs no cluster and no network.
"""
