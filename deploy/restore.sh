#!/usr/bin/env bash
# Puts the data of a backup in the place of the present data, of which it makes a backup first; asks
# (YES=1 answers). Starts the stack in the end, with every room in a new epoch. Without a stack, builds one.
#
#   deploy/restore.sh FILE
#
# KEEP=0 goes on where the present data cannot be backed up, because they are damaged.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/images.sh
. deploy/lib/images.sh
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

fail() { refuse restore "$@"; } # fail FOUND EXPECTED MEND

file=${1:-}
[ -n "$file" ] || fail "no file" "the backup to restore" "make restore F=backups/<name>.tar.gz   (ls -t backups/)"
[ -f "$file" ] && [ -r "$file" ] || fail "no file $file that $(id -un) may read" "a backup" "ls -t backups/"
# What is no such file at all is told before anything is built; what is in it, the built image judges.
output=$(gzip -t "$file" 2>&1) || fail "no backup, or a damaged one (${output//$'\n'/ })" "a file that make backup wrote" "another one: ls -t backups/"

lock restore
bash deploy/engine.sh # Compose reads the variables, the project's name among them
own restore
project=$(bash deploy/dotenv.sh get COMPOSE_PROJECT_NAME channels)
volumes=$(docker volume ls --quiet --filter "label=com.docker.compose.project=$project" 2> /dev/null) || volumes=
before=$(served_image "$project" 2> /dev/null) || before=

# No impact yet.
bash deploy/prepare.sh restore
tool() { # tool COMMAND: the file's way into the container, which has no right to read it
    docker compose --progress quiet run --rm --no-deps -T migrate \
        flock --timeout 60 data/migrate.lock python -m deploy.backup "$1" < "$file"
}
tool check || { echo "restore: nothing was replaced" >&2; exit 1; }
if [ -n "$volumes" ] && [ "${YES:-}" != 1 ]; then
    echo "restore: replaces the present data of project '$project' (database, room logs)."
    [ -t 0 ] || { echo "restore: expected an answer, and there is no terminal; say it with: make restore F=$file YES=1" >&2; exit 1; }
    read -r -p "restore: type the project's name to go on: " answer
    [ "$answer" = "$project" ] || { echo "restore: nothing was replaced"; exit 1; }
fi

# Impact.
# Also what would start again in the middle, and what would go on afterwards.
serving=$(docker compose ps --services --status running --status restarting --status paused | grep -vx redis | tr '\n' ' ') || serving=
copy='' replacing=''
finish() {
    [ $? != 0 ] || return 0
    trap '' HUP INT PIPE TERM
    set +e
    if [ -z "$replacing" ]; then
        echo "restore: nothing was replaced" >&2
        # shellcheck disable=SC2086  # one argument each
        [ -z "$serving" ] || docker compose --progress quiet up --detach --wait --no-deps --no-recreate $serving
    else
        echo "restore: not finished: the data may be half replaced, and the stack is stopped. Do it again with" >&2
        echo "restore:   make restore F=$file KEEP=0" >&2
        [ -z "$copy" ] || printf 'restore: or get back the data of before with\nrestore:   make restore F=%s KEEP=0\n' "$copy" >&2
    fi
    unlock
}
trap finish EXIT
# Without a trap bash takes a lost terminal for success.
trap 'exit 129' HUP
trap 'exit 130' INT TERM
trap 'exit 141' PIPE
# All but Redis, overlays' services too: whoever served a room before could take its old epoch for the present one.
if [ -n "$serving" ]; then
    echo "restore: stopping $serving"
    # shellcheck disable=SC2086  # one argument each
    docker compose --progress quiet stop $serving
fi
docker compose --progress quiet up --detach --wait --no-deps --no-recreate redis
if [ -n "$volumes" ] && [ "${KEEP:-1}" != 0 ]; then
    copy=backups/$project-$(date -u +%Y%m%dT%H%M%SZ)-before-restore.tar.gz
    bash deploy/backup.sh "$copy" || {
        copy=
        echo "restore: the present data could not be kept; to go on without: make restore F=$file KEEP=0" >&2
        exit 1
    }
fi
replacing=yes
remember "$project" "$before"
tool restore
trap unlock EXIT
back=${copy:+The data of before are in $copy.}
docker compose --progress quiet up --detach --wait || {
    echo "restore: the data are those of $file, but not every service is healthy; their logs say why: make logs S=<service>. $back" >&2
    docker compose ps --all >&2
    exit 1
}
rm -f .state/replacing # as many as .env says, whatever a deployment that was broken off has left
echo "restore: done; every room has begun a new epoch. $back $(bash deploy/dotenv.sh get PUBLIC_URL)/ is open."
