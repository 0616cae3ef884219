#!/usr/bin/env bash
# Everything that can be made and tried without touching what runs; what fails here has replaced nothing.
#
#   deploy/prepare.sh [COMMAND]     as its messages begin
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# An attestation carries the time of the build: it would give the same image a new name each time.
export BUILDX_NO_DEFAULT_ATTESTATIONS=1
command=${1:-up}
# shellcheck source=deploy/lib/images.sh
. deploy/lib/images.sh

bash deploy/engine.sh
project=$(bash deploy/dotenv.sh get COMPOSE_PROJECT_NAME channels)
named=$(for name in web nginx redis; do ! id=$(image_id "$project-$name") || echo "$id $project-$name"; done)
put_back() { # else the next `docker compose up` would start what has failed here
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
# `migrate` asks the same, but when it does, the containers of before may be gone. `restore` replaces the database.
[ "$command" = restore ] || try "a database of this version or an older one" migrate python manage.py check --database default
