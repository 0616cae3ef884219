#!/usr/bin/env bash
# Removes the stack's containers, images, volumes and secrets. Asks first, unless YES=1. .env stays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

lock purge
own purge
COMPOSE_PROJECT_NAME=$(bash deploy/dotenv.sh get COMPOSE_PROJECT_NAME channels)
if [ "${YES:-}" != 1 ]; then
    echo "purge: removes all data of project '$COMPOSE_PROJECT_NAME' (database, Redis) and secrets/; nothing brings it back."
    [ -t 0 ] || { echo "purge: expected an answer, and there is no terminal; say it with: make purge YES=1" >&2; exit 1; }
    read -r -p "purge: type the project's name to go on: " answer
    [ "$answer" = "$COMPOSE_PROJECT_NAME" ] || { echo "purge: nothing was removed"; exit 1; }
fi
# Must work without a valid .env.
export COMPOSE_PROJECT_NAME PUBLIC_URL=http://unused
docker compose --file compose.yaml --env-file /dev/null down --volumes --rmi local --remove-orphans
# Also removes volumes and networks of overlays that are no longer configured. Otherwise `make up` would find data
# without secrets.
for kind in volume network; do
    left=$(docker "$kind" ls --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")
    # shellcheck disable=SC2086  # one argument each
    [ -z "$left" ] || docker "$kind" rm $left > /dev/null
done
unclaim "$COMPOSE_PROJECT_NAME"
docker image rm "$COMPOSE_PROJECT_NAME-web:previous" > /dev/null 2>&1 || true
# Each build leaves the previous image untagged.
docker image prune --force --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" > /dev/null
rm -rf secrets .state/replacing .state/settled.yaml* .state/secret_key.env* .state/redis_password.env* .state/trial.* \
    .state/ca-bundle.pem .state/pip.conf # the last may hold a mirror's password
echo "purge: project '$COMPOSE_PROJECT_NAME' is gone; make up starts from scratch"
