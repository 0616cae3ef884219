#!/usr/bin/env bash
# Checks every variable that counts, as Compose resolves it, and reports all faults at once; touches nothing.
# Builds the image that can check, without what is not trusted yet. With --built it takes the image that is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/env-files.sh
. deploy/lib/env-files.sh

project=$(bash deploy/dotenv.sh get COMPOSE_PROJECT_NAME) # judged there, since the image is called by it
build() ( # without what is not trusted yet, be it in a file or in the shell
    given=$(bash deploy/dotenv.sh print PYTHON_IMAGE PIP_INDEX_URL PIP_EXTRA_INDEX_URL HTTP_PROXY HTTPS_PROXY NO_PROXY)
    for name in $(names); do unset "$name"; done
    export COMPOSE_PROJECT_NAME=$project PUBLIC_URL=http://unchecked
    while IFS='=' read -r name value; do [ -z "$value" ] || export "$name=$value"; done <<< "$given"
    compose --file compose.yaml --env-file /dev/null build --quiet web
)

[ "${1:-}" = --built ] || build
bash deploy/resolve.sh | docker run --rm --interactive --network none --read-only "$project-web" python -m app.report
