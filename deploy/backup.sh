#!/usr/bin/env bash
# Copies the database and the rooms' logs into one file while the stack serves. If Redis does not run, starts it
# for the copy.
#
#   deploy/backup.sh [FILE [keep]]      by default backups/<project>-<UTC time>.tar.gz
#
# keep: for data that are about to be replaced. Writes the undamaged parts; if some are missing, to FILE.in-part.tar.gz.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh
umask 077 # the file contains all password hashes and messages

fail() { refuse backup "$@"; } # fail FOUND EXPECTED FIX

# The lock: a restore, a purge or a deployment would change the data during the copy. And if this script started Redis,
# it stops it at the end, even if another command needs it by then.
lock_unless_caller_has backup
own backup
project=$(bash deploy/dotenv.sh get COMPOSE_PROJECT_NAME channels)
file=${1:-backups/$project-$(date -u +%Y%m%dT%H%M%SZ).tar.gz}
how=${2:-create}
[ -n "$(docker volume ls --quiet --filter "label=com.docker.compose.project=$project")" ] ||
    fail "no data of project '$project'" "a stack that was up once" "make up"
docker image inspect "$project-web" > /dev/null 2>&1 || fail "no image $project-web" "a stack that was built" "make up"

mkdir -p "$(dirname "$file")"
scratch=$(mktemp "$file.XXXXXX")
started=
finish() {
    rm -f "$scratch"
    [ -z "$started" ] || docker compose --progress quiet stop redis
    unlock
}
trap finish EXIT
if [ -z "$(docker compose ps --quiet --status running redis)" ]; then
    started=yes
    said=$(docker compose --progress quiet up --detach --wait --no-deps ${moved:+--force-recreate} redis 2>&1) ||
        [ "$how" = keep ] || fail "a Redis that does not get healthy: $said" "one that reads its file" "make doctor"
fi

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
commit=$(git rev-parse --short HEAD 2> /dev/null) || commit=
status=0
docker compose --progress quiet run --rm --no-deps -T --volume /srv/scratch migrate \
    flock --timeout 60 data/migrate.lock python -m deploy.backup "$how" "$version${commit:++$commit}" "$project" > "$scratch" || status=$?
case $status in
0) ;;
3) file=${file%.tar.gz}.in-part.tar.gz ;;
*) echo "backup: nothing was written" >&2 && exit 1 ;;
esac
# If the disk is full, the file's end may be missing.
gzip -t "$scratch" || fail "a file that was not written to its end" "room for it" "df -h ."
mv "$scratch" "$file"
echo "backup: wrote $file ($(du -h "$file" | cut -f 1)); it holds neither .env nor secrets/"
