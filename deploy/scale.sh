#!/usr/bin/env bash
# Scales the WebSocket workers of the running stack and writes the number to .env,
# because Compose alone would forget it at the next `up`. Leaves other containers alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh
# shellcheck source=deploy/lib/images.sh
. deploy/lib/images.sh
# shellcheck source=deploy/lib/unwell.sh
. deploy/lib/unwell.sh
# shellcheck source=deploy/lib/wanted.sh
. deploy/lib/wanted.sh

number=${1:-}
[[ $number =~ ^[1-9][0-9]?$ ]] || {
    echo "scale: expected a number of workers from 1 to 99, as in: make scale N=4; received '$number'" >&2
    exit 1
}
[ -n "$(docker compose ps --quiet --status running nginx)" ] || {
    echo "scale: expected a running stack, found none; start it with: make up" >&2
    exit 1
}
lock scale
own scale
project=$(project_name .)
bash deploy/secret-digests.sh
stale=$(with_other_secrets "$project" | sort | tr '\n' ' ')
[ -z "$stale" ] || refuse scale "other files under secrets/ than ${stale}have read: a new worker would not fit them" \
    "the secrets that the running stack has" "make up   (replaces what has read the old ones), then make scale N=$number"
service=$(bash deploy/websockets.sh)
name=$(tr '[:lower:]' '[:upper:]' <<< "$service")_REPLICAS
before=$(docker compose ps --quiet "$service" | grep -c . || true)
# The shell's value overrides .env's, so the following commands use this number.
export "$name=$number"
bash deploy/check-env.sh --built
docker compose up --detach --wait --no-deps --no-recreate "$service" || {
    # shellcheck disable=SC2046  # one argument each
    say_why scale $(unwell "$project")
    printf 'scale: %s\n' "found:    $number $service that cannot all start, above; going back to $before, and .env stays as it is" \
        "expected: $number healthy ones" "fix:      make doctor; then make scale N=$number" >&2
    docker compose --progress quiet up --detach --no-deps --no-recreate --scale "$service=$before" "$service" || true
    exit 1
}
bash deploy/dotenv.sh set "$name" "$number"
# An interrupted deployment recorded the wanted numbers. Update its number of workers, so that the rest still applies.
[ ! -s .state/replacing ] || { read -r web _ rest < .state/replacing && echo "$web $number $rest" > .state/replacing; }
# Record the settings only if all containers match them: others may be older than .env.
learn_hashes
if settled "$project" redis && settled "$project" web && settled "$project" "$service" && settled "$project" nginx; then settle; fi
docker compose ps "$service"
