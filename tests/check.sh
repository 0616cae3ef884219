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

foreign() { python -m tests.foreign "$@"; } # what is not ours to judge: [tool.channels-stack] in pyproject.toml
found() { find "$@" | tr '\n' '\0' | xargs -0 python -m tests.foreign own; } # found FIND-ARGUMENT…: files that are ours

# What the settings ask of the environment; none of it is used.
export SECRET_KEY=unused-but-long-enough-to-satisfy-the-deployment-checks-0123456789
export REDIS_URL=unused REDIS_PASSWORD=unused PUBLIC_URL=https://localhost

mapfile -t without_ruff < <(foreign ruff)
mapfile -t without_mypy < <(foreign mypy)
mapfile -t without_vulture < <(foreign vulture)
mapfile -t without_typos < <(foreign typos)
mapfile -t without_eslint < <(foreign eslint)
foreign settings > /tmp/mypy.toml || exit

check format ruff format --check "${without_ruff[@]}" .
check lint ruff check "${without_ruff[@]}" .
# The cache, kept, holds on to types that settings once had.
check types mypy --config-file /tmp/mypy.toml --cache-dir /tmp/mypy "${without_mypy[@]}"
check imports lint-imports --no-cache
check "dead code" vulture "${without_vulture[@]}"
mapfile -t apps < <(env DJANGO_SETTINGS_MODULE=app.settings python -m tests.foreign apps)
check migrations python manage.py makemigrations --check --dry-run "${apps[@]}"
check "deploy, https" python manage.py check --deploy --fail-level WARNING
check "deploy, http" env PUBLIC_URL=http://localhost:8080 python manage.py check --deploy --fail-level WARNING
check compose docker compose --env-file .env.example config --quiet
check "compose, uvicorn" docker compose --file compose.yaml --file deploy/uvicorn.yaml --env-file .env.example config --quiet
check "compose, worker" env WORKER_CHANNELS=jobs docker compose --file compose.yaml --file deploy/overlays/worker.yaml --env-file .env.example config --quiet
check "compose, benchmark" docker compose --env-file .env.example --file tests/bench/compose.yaml config --quiet
check dockerfiles hadolint services/Dockerfile tests/Dockerfile tests/bench/Dockerfile tests/chaos/engine/Dockerfile deploy/base-images/Dockerfile
mapfile -t scripts < <(found deploy services tests -name '*.sh' -o -path deploy/base-images/install-packages)
check scripts shellcheck --external-sources "${scripts[@]}" .ci/run
mapfile -t files < <(yamllint --list-files . | xargs python -m tests.foreign own)
check yaml yamllint --strict "${files[@]}"
mapfile -t templates < <(found MyChannels/templates -name '*.html')
check "templates' format" djade --check --target-version 5.2 "${templates[@]}"
check templates djlint --lint "${templates[@]}"
mapfile -t files < <(found MyChannels/static tests/javascript tests/bench/peers -name '*.js' -o -name '*.[cm]js' -o -name '*.css' -o -name '*.json' -o -name '*.html')
check "pages' code" biome ci --colors=off --files-ignore-unknown=true "${files[@]}"
# ESLint looks for modules in its folder alone, and for its base in the configuration's.
check "pages' browsers" env PATH="/opt/node/bin:$PATH" /opt/browsers/node_modules/.bin/eslint \
    --config /opt/browsers/eslint.config.mjs --max-warnings 0 "${without_eslint[@]}" MyChannels/static
check spelling typos "${without_typos[@]}"
exit $failed
