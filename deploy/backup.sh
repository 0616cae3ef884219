#!/usr/bin/env bash
# Copies the database and the rooms' logs into one file, while the stack serves. If Redis does not run it is
# started for that long.
#
#   deploy/backup.sh [FILE]      by default backups/<project>-<UTC time>.tar.gz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh
umask 077 # everybody's passwords, as hashes, and everything that was said

fail() { refuse backup "$@"; } # fail FOUND EXPECTED MEND

own backup
project=$(bash deploy/dotenv.sh get COMPOSE_PROJECT_NAME channels)
file=${1:-backups/$project-$(date -u +%Y%m%dT%H%M%SZ).tar.gz}
[ -n "$(docker volume ls --quiet --filter "label=com.docker.compose.project=$project")" ] ||
    fail "no data of project '$project'" "a stack that was up once" "make up"
docker image inspect "$project-web" > /dev/null 2>&1 || fail "no image $project-web" "a stack that was built" "make up"

mkdir -p "$(dirname "$file")"
scratch=$(mktemp "$file.XXXXXX")
started=
finish() {
    rm -f "$scratch"
    [ -z "$started" ] || docker compose --progress quiet stop redis
}
trap finish EXIT
if [ -z "$(docker compose ps --quiet --status running redis)" ]; then
    started=yes
    docker compose --progress quiet up --detach --wait --no-deps ${moved:+--force-recreate} redis
fi

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
commit=$(git rev-parse --short HEAD 2> /dev/null) || commit=
docker compose --progress quiet run --rm --no-deps -T migrate \
    flock --timeout 60 data/migrate.lock python -m deploy.backup create "$version${commit:++$commit}" "$project" > "$scratch" ||
    { echo "backup: nothing was written" >&2; exit 1; }
# The last bytes of a cut file are missing, and the disk may be full: what cannot be read is no backup.
gzip -t "$scratch" || fail "a file that was not written to its end" "room for it" "df -h ."
mv "$scratch" "$file"
echo "backup: wrote $file ($(du -h "$file" | cut -f 1)); it holds neither .env nor secrets/"
