#!/usr/bin/env bash
# Checks every variable, as Compose resolves it, and reports all faults at once. Changes nothing else, but builds the
# image that runs the check, without the variables that are not checked yet. --built uses the existing image instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/env-files.sh
. deploy/lib/env-files.sh

project=$(bash deploy/dotenv.sh get COMPOSE_PROJECT_NAME) # checked there, since it names the image
build() ( # without unchecked variables, whether from a file or the shell
    given=$(bash deploy/dotenv.sh print PYTHON_IMAGE PIP_INDEX_URL PIP_EXTRA_INDEX_URL HTTP_PROXY HTTPS_PROXY NO_PROXY)
    for name in $(names); do unset "$name"; done
    export COMPOSE_PROJECT_NAME=$project PUBLIC_URL=http://unchecked
    while IFS='=' read -r name value; do [ -z "$value" ] || export "$name=$value"; done <<< "$given"
    compose --file compose.yaml --env-file /dev/null build --quiet web
)

[ "${1:-}" = --built ] || build
bash deploy/resolve.sh | docker run --rm --interactive --network none --read-only "$project-web" python -m app.report
