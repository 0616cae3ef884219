#!/usr/bin/env bash
# Locks the newest permitted packages anew. The locks name no index, so that any mirror serves them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "${1:-}" != --inside ]; then exec bash tests/image.sh bash tests/lock.sh --inside; fi
options=(--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --upgrade)
uv pip compile pyproject.toml "${options[@]}" --output-file requirements.lock
uv pip compile pyproject.toml --group test --constraints requirements.lock "${options[@]}" --output-file tests/requirements.lock
