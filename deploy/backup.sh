#!/usr/bin/env bash
# Copies the database and the rooms' logs into one file, while the stack serves. If Redis does not run it is
# started for that long.
#
#   deploy/backup.sh [FILE [keep]]      by default backups/<project>-<UTC time>.tar.gz
#
# keep: of data that are about to be replaced, writes what is sound; as FILE.in-part.tar.gz, if that is not all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh
umask 077 # everybody's passwords, as hashes, and everything that was said

fail() { refuse backup "$@"; } # fail FOUND EXPECTED FIX

# A restore, a purge or a deployment meanwhile would change what is copied. And if Redis is started for the copy, it is
# stopped at the end, whatever else needs it by then.
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
# The last bytes of a cut file are missing, and the disk may be full: what cannot be read is no backup.
gzip -t "$scratch" || fail "a file that was not written to its end" "room for it" "df -h ."
mv "$scratch" "$file"
echo "backup: wrote $file ($(du -h "$file" | cut -f 1)); it holds neither .env nor secrets/"
