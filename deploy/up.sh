#!/usr/bin/env bash
# From a clone in any state to a running, healthy stack; a second run changes nothing.
#
#   deploy/up.sh [BACKUP]     with the name of a file: writes a backup there before anything is replaced
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# No impact on a running stack yet.
deploy/prepare.sh
# `migrate` asks the same, but when it does, the containers of before are gone.
output=$(docker compose run --rm --no-deps -T migrate python manage.py check --database default 2>&1) || {
    printf 'up: expected a database of this version or an older one, received:\n%s\nup: nothing was replaced\n' "$output" >&2
    exit 1
}
[ -z "${1:-}" ] || deploy/backup.sh "$1"

# Impact.
docker compose up --detach --wait --remove-orphans || {
    echo "up: expected every service to be healthy; the ones below are not, their logs say why: make logs S=<service>" >&2
    docker compose ps --all >&2
    exit 1
}
echo "up: $(deploy/dotenv.sh get PUBLIC_URL)/ is open."
