#!/bin/sh
# Writes requirements.lock and requirements-dev.lock from pyproject.toml: exact versions with hashes, no registry's address.
# Needs uv (pip install uv) on the PATH. Versions stay as they are unless --upgrade is given.
set -eu
cd "$(dirname "$0")/.."
common="--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet"
# shellcheck disable=SC2086  (the variable holds several words on purpose)
uv pip compile pyproject.toml $common "$@" --output-file requirements.lock
# shellcheck disable=SC2086
uv pip compile pyproject.toml --extra dev $common "$@" --constraint requirements.lock --output-file requirements-dev.lock
