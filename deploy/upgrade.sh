#!/usr/bin/env bash
# Upgrades the running stack of an older version to this folder's version: makes a backup, then does the same as
# `make up`. All checks, above all for a database of a newer version, fail before anything is replaced.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

project=$(bash deploy/dotenv.sh get COMPOSE_PROJECT_NAME channels)
[ -n "$(docker volume ls --quiet --filter "label=com.docker.compose.project=$project")" ] || {
    printf 'upgrade: %s\n' "found:    no data of project '$project'" "expected: those of an older version" "fix:      make up" >&2
    exit 1
}
copy=backups/$project-$(date -u +%Y%m%dT%H%M%SZ)-before-upgrade.tar.gz
bash deploy/up.sh "$copy" || {
    [ ! -f "$copy" ] || echo "upgrade: the data of before are in $copy" >&2
    exit 1
}
echo "upgrade: done; CHANGELOG.md says what has changed. Back: check out the version of before, then make restore F=$copy"
