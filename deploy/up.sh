#!/usr/bin/env bash
# From a clone in any state to a running, healthy stack; a second run changes nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# An attestation carries the time of the build: it would give the same image a new name each time.
export BUILDX_NO_DEFAULT_ATTESTATIONS=1

# No impact on a running stack yet.
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

# Impact.
docker compose up --detach --wait --remove-orphans || {
    echo "up: expected every service to be healthy; the ones below are not, their logs say why: make logs S=<service>" >&2
    docker compose ps --all >&2
    exit 1
}
echo "up: $(deploy/dotenv.sh get PUBLIC_URL)/ is open."
