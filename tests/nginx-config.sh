#!/usr/bin/env bash
# `nginx -t` in the image in use, through the entrypoint that fills in the environment, then gixy on
# the configuration that came out. The names it resolves need not exist.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=deploy/lib/nginx.sh
. deploy/lib/nginx.sh
images=$(bash deploy/base-images.sh --print)
while read -r line; do export "${line?}"; done <<< "$images"
# One name for each clone: others may be at the same.
COMPOSE_PROJECT_NAME=channels-check-$(sha256sum <<< "$PWD" | cut -c 1-8)
export COMPOSE_PROJECT_NAME
compose=(docker compose --file compose.yaml --env-file .env.example)

trap '"${compose[@]}" down --volumes --rmi local > /dev/null 2>&1' EXIT
"${compose[@]}" build --quiet nginx
if pack_nginx | "${compose[@]}" run --rm --no-deps -T "${NGINX_TRIAL[@]}" nginx -T > .state/nginx.conf 2> .state/nginx.log; then
    echo "check: ok      nginx"
else
    echo "check: FAILED  nginx: nginx -T"
    cat .state/nginx.log
    exit 1
fi

if output=$(bash tests/image.sh gixy .state/nginx.conf 2>&1); then
    echo "check: ok      gixy"
else
    printf 'check: FAILED  gixy\n%s\n' "$output"
    exit 1
fi
