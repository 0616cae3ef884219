#!/usr/bin/env bash
# Everything that can be made and tried without touching what runs; what fails here has replaced nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# An attestation carries the time of the build: it would give the same image a new name each time.
export BUILDX_NO_DEFAULT_ATTESTATIONS=1

deploy/engine.sh
deploy/configure.sh
deploy/build-settings.sh
deploy/preflight.sh
deploy/base-images.sh
deploy/check-env.sh
docker compose build --quiet
# With this .env, in containers of their own: what cannot start replaces nothing that runs.
output=$(docker compose run --rm --no-deps -T nginx nginx -t 2>&1) || {
    printf 'up: expected a configuration that nginx accepts, received:\n%s\nup: nothing was replaced\n' "$output" >&2
    exit 1
}
output=$(docker compose run --rm --no-deps -T migrate python -c 'import app.routing' 2>&1) || {
    printf 'up: expected an application that can be imported, received:\n%s\nup: nothing was replaced\n' "$output" >&2
    exit 1
}
