#!/usr/bin/env bash
# Locks Python packages. The locks name no index, so that any mirror serves them.
#
#   tests/lock.sh                 all, at their newest permitted versions
#   tests/lock.sh REQUIREMENT     one, as "django-eventstream>=5": adds it to pyproject.toml unless it is there, and locks
#                                 it with what it needs; every other package keeps its version
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "${1:-}" != --inside ]; then exec bash tests/image.sh bash tests/lock.sh --inside "$@"; fi
requirement=${2:-}
options=(--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet)

if [ -z "$requirement" ]; then
    options+=(--upgrade)
else
    name=${requirement%%[!A-Za-z0-9._-]*}
    before=$(mktemp -d)
    cp pyproject.toml requirements.lock "$before"
    # What cannot be locked is not asked for either.
    trap '[ $? = 0 ] || cp "$before"/* .; rm -r "$before"' EXIT
    # In the test group too, it is there. PyPI takes hyphens, underscores and periods for the same.
    grep -Eiq "^[[:space:]]*\"${name//[-_.]/[-_.]+}(\"|[^A-Za-z0-9._-])" pyproject.toml || uv add --frozen --quiet "$requirement"
    options+=(--upgrade-package "$name")
fi
uv pip compile pyproject.toml "${options[@]}" --output-file requirements.lock
uv pip compile pyproject.toml --group test --constraints requirements.lock "${options[@]}" --output-file tests/requirements.lock
# What runs in the stack of tests/third_party, whose image has our packages and those.
uv pip compile pyproject.toml --group third-party --constraints tests/requirements.lock "${options[@]}" --output-file tests/third_party/requirements.lock
