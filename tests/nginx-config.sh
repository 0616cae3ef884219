#!/usr/bin/env bash
# `nginx -t` in the image in use, through the entrypoint that fills in the environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

images=$(deploy/base-images.sh --print)
while read -r line; do export "${line?}"; done <<< "$images"
export COMPOSE_PROJECT_NAME=channels-check
docker compose --file compose.yaml --env-file .env.example build --quiet nginx
if output=$(docker compose --file compose.yaml --env-file .env.example run --rm --no-deps -T nginx nginx -t 2>&1); then
    echo "check: ok      nginx"
else
    printf 'check: FAILED  nginx: nginx -t\n%s\n' "$output"
    status=1
fi
docker compose --file compose.yaml --env-file .env.example down --rmi local >/dev/null 2>&1
exit "${status:-0}"
