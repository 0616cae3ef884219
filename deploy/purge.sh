#!/usr/bin/env bash
# Removes the stack's containers, images, volumes and secrets; asks first (YES=1 answers). .env stays.
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
# A lost or broken .env must not stand in the way.
export COMPOSE_PROJECT_NAME PUBLIC_URL=http://unused
docker compose --file compose.yaml --env-file /dev/null down --volumes --rmi local --remove-orphans
# Volumes and networks that an overlay has named, which may be gone by now. `make up` would find the data, and no secret.
for kind in volume network; do
    left=$(docker "$kind" ls --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")
    # shellcheck disable=SC2086  # one argument each
    [ -z "$left" ] || docker "$kind" rm $left > /dev/null
done
unclaim "$COMPOSE_PROJECT_NAME"
docker image rm "$COMPOSE_PROJECT_NAME-web:previous" > /dev/null 2>&1 || true
# Each build has left the one before without a name.
docker image prune --force --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" > /dev/null
rm -rf secrets .state/replacing .state/settled.yaml* .state/secret_key.env* .state/redis_password.env* .state/trial.* \
    .state/ca-bundle.pem .state/pip.conf # the last may hold a mirror's password
echo "purge: project '$COMPOSE_PROJECT_NAME' is gone; make up starts anew"
