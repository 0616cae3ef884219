#!/usr/bin/env bash
# Checks the whole .env and reports all faults at once; builds the image that can, without
# the .env that is not trusted yet. With --built it takes the image that is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

COMPOSE_PROJECT_NAME=$(bash deploy/dotenv.sh get COMPOSE_PROJECT_NAME channels)
export COMPOSE_PROJECT_NAME PUBLIC_URL=http://unchecked
for name in PYTHON_IMAGE PIP_INDEX_URL PIP_EXTRA_INDEX_URL HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    value=$(bash deploy/dotenv.sh get "$name")
    [ -z "$value" ] || export "$name=$value"
done
[ "${1:-}" = --built ] || docker compose --file compose.yaml --env-file /dev/null build --quiet web
docker run --rm --interactive --network none --read-only "$COMPOSE_PROJECT_NAME-web" python -m app.env < .env
