#!/usr/bin/env bash
# Every static check; runs all of them and fails if one did.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

if [ "${1:-}" != --inside ]; then
    bash tests/image.sh bash tests/check.sh --inside
    inside=$?
    bash tests/nginx-config.sh
    exit $((inside + $?))
fi

failed=0
check() { # check NAME COMMAND…
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        printf 'check: ok      %s\n' "$name"
    else
        printf 'check: FAILED  %s: %s\n%s\n' "$name" "$*" "$output"
        failed=1
    fi
}

scripts=$(find deploy services tests -name '*.sh' -o -path deploy/base-images/install-packages)
# What the settings ask of the environment; none of it is used.
export SECRET_KEY=unused-but-long-enough-to-satisfy-the-deployment-checks-0123456789
export REDIS_URL=unused REDIS_PASSWORD=unused PUBLIC_URL=https://localhost

check format ruff format --check .
check lint ruff check .
check types mypy --cache-dir /tmp/mypy  # kept, it holds on to types that settings once had
check imports lint-imports --no-cache
check "dead code" vulture
check migrations python manage.py makemigrations --check --dry-run
check "deploy, https" python manage.py check --deploy --fail-level WARNING
check "deploy, http" env PUBLIC_URL=http://localhost:8080 python manage.py check --deploy --fail-level WARNING
check compose docker compose --env-file .env.example config --quiet
check "compose, uvicorn" docker compose --file compose.yaml --file deploy/uvicorn.yaml --env-file .env.example config --quiet
check "compose, worker" env WORKER_CHANNELS=jobs docker compose --file compose.yaml --file deploy/overlays/worker.yaml --env-file .env.example config --quiet
check "compose, benchmark" docker compose --env-file .env.example --file tests/bench/compose.yaml config --quiet
check dockerfiles hadolint services/Dockerfile tests/Dockerfile tests/bench/Dockerfile tests/chaos/engine/Dockerfile deploy/base-images/Dockerfile
# shellcheck disable=SC2086  # one argument each
check scripts shellcheck --external-sources $scripts .ci/run
check yaml yamllint --strict .
templates=$(find MyChannels/templates -name '*.html')
# shellcheck disable=SC2086  # one argument each
check "templates' format" djade --check --target-version 5.2 $templates
check templates djlint --lint MyChannels/templates
check "pages' code" biome ci --colors=off MyChannels/static tests/javascript tests/bench/peers
# ESLint looks for modules in its folder alone, and for its base in the configuration's.
check "pages' browsers" env PATH="/opt/node/bin:$PATH" /opt/browsers/node_modules/.bin/eslint \
    --config /opt/browsers/eslint.config.mjs --max-warnings 0 MyChannels/static
check spelling typos
exit $failed
