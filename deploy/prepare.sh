#!/usr/bin/env bash
# Builds and tests everything that is possible without touching the running stack. A failure here replaces nothing.
#
#   deploy/prepare.sh [COMMAND]     the prefix of its messages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# An attestation contains the time of the build, so the same image would get a new ID each time.
export BUILDX_NO_DEFAULT_ATTESTATIONS=1
command=${1:-up}
# shellcheck source=deploy/lib/images.sh
. deploy/lib/images.sh

bash deploy/engine.sh
project=$(bash deploy/dotenv.sh get COMPOSE_PROJECT_NAME channels)
named=$(for name in web nginx redis; do ! id=$(image_id "$project-$name") || echo "$id $project-$name"; done)
put_back() { # otherwise the next `docker compose up` would start the build that failed here
    local status=$? id name
    [ "$status" = 0 ] || [ -z "$named" ] || while read -r id name; do docker tag "$id" "$name" || true; done <<< "$named"
}
trap put_back EXIT
trap 'exit 130' INT TERM HUP PIPE
bash deploy/configure.sh
bash deploy/secret-digests.sh
bash deploy/build-settings.sh
bash deploy/preflight.sh
bash deploy/base-images.sh
bash deploy/check-env.sh
docker compose build --quiet
bash deploy/trial.sh "$command"
try() { # try EXPECTED RUN-ARGUMENT…
    local output
    if output=$(docker compose run --rm --no-deps -T "${@:2}" 2>&1); then
        sed -n '/^?: (app\.W/,/HINT:/p' <<< "$output" # warnings of app/checks.py
        return
    fi
    printf '%s: expected %s, received:\n%s\n%s: nothing was replaced\n' "$command" "$1" "$output" "$command" >&2
    return 1
}
# `migrate` checks the same, but by then the previous containers may be gone. `restore` replaces the database anyway.
[ "$command" = restore ] || try "a database of this version or an older one" migrate python manage.py check --database default
