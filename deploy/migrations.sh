#!/usr/bin/env bash
# Writes the migrations that changed models need into this folder, as its owner.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

# shellcheck source=deploy/lib/place.sh
. deploy/lib/place.sh

own migrations
if part=$(unusable_part "$PWD"); then
    refuse migrations "$part in the folder's path, $PWD" "a path that Compose can take" "mv $(printf %q "$PWD") <another name>"
fi
separator=$(bash deploy/dotenv.sh get COMPOSE_PATH_SEPARATOR :)
COMPOSE_FILE=$(bash deploy/dotenv.sh get COMPOSE_FILE compose.yaml)${separator}deploy/migrations.yaml
export COMPOSE_FILE COMPOSE_PATH_SEPARATOR=$separator
# shellcheck disable=SC2012  # the name is ours, and stat differs from system to system
options=(--rm --no-deps --user "$(ls -dn MyChannels | awk '{ print $3 ":" $4 }')")
[ -t 0 ] || options+=(--no-TTY) # Compose looks at standard output alone
docker compose run "${options[@]}" migrate python manage.py makemigrations mychannels
