#!/usr/bin/env bash
# From a clone in any state to a running, healthy stack; a second run changes nothing.
#
#   deploy/up.sh [BACKUP]     with the name of a file: writes a backup there before anything is replaced
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/images.sh
. deploy/lib/images.sh
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

lock up
bash deploy/engine.sh # before anything asks one
own up
project=$(project_name .)
before=$(served_image "$project")

# No impact on a running stack yet.
bash deploy/prepare.sh
[ -z "${1:-}" ] || bash deploy/backup.sh "$1"

# Impact.
remember "$project" "$before" # first: if what comes is no good, it is wanted
claim "$project"
docker compose up --detach --wait --remove-orphans ${moved:+--force-recreate} || {
    echo "up: expected every service to be healthy; the ones below are not, their logs say why: make logs S=<service>" >&2
    docker compose ps --all >&2
    exit 1
}
# If that has replaced nginx, it has loaded the present configuration.
docker compose exec -T nginx nginx-reload.sh > /dev/null
rm -f .state/replacing # as many as .env says, whatever a deployment that was broken off has left
echo "up: $(bash deploy/dotenv.sh get PUBLIC_URL)/ is open."
