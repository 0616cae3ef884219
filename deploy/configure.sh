#!/usr/bin/env bash
# Creates .env and secrets/ where they are absent; never overwrites.
# Refuses when data exists that only the lost ones could open.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
umask 077

secrets="secret_key redis_password"

lost() { # what is absent, one word each
    [ -f .env ] || echo .env
    for name in $secrets; do [ -s "secrets/$name" ] || echo "secrets/$name"; done
}

if [ -d secrets ] && ! ls secrets > /dev/null 2>&1; then
    echo "configure: found:    secrets/, which $(id -un) may not read" >&2
    echo "configure: expected: the user who first called make up, or root" >&2
    echo "configure: mend:     sudo chown -R $(id -un) secrets .env   or: sudo make up" >&2
    exit 1
fi

absent=$(lost | tr '\n' ' ')
[ -n "$absent" ] || exit 0

project=$(bash deploy/dotenv.sh get COMPOSE_PROJECT_NAME channels)
volumes=$(docker volume ls --quiet --filter "label=com.docker.compose.project=$project" | tr '\n' ' ')
if [ -n "$volumes" ]; then
    cat >&2 <<TEXT
configure: found the data volumes ${volumes% } of project '$project' but not ${absent% }
configure: expected both or neither; new secrets would not fit the old data.
configure: if those volumes belong to another clone, give this one a name and a port of its own:
             COMPOSE_PROJECT_NAME=channels2 HTTP_PORT=8081 make up
configure: if they are this clone's, either
  put back   ${absent% }
  or         make purge      (removes the data as well)
TEXT
    exit 1
fi

if [ ! -f .env ]; then
    cp .env.example .env
    # What the first call was given is remembered, so that the next one need not repeat it.
    for name in BIND_ADDRESS COMPOSE_PROJECT_NAME HTTP_PORT; do
        [ -z "${!name:-}" ] || bash deploy/dotenv.sh set "$name" "${!name}"
    done
    bash deploy/dotenv.sh set PUBLIC_URL "${PUBLIC_URL:-http://localhost:${HTTP_PORT:-8080}}"
    echo "configure: wrote .env; .env.example explains it"
fi

# The directory keeps the host's users out; the files are read by the containers' own users.
mkdir -p secrets
for name in $secrets; do
    if [ ! -s "secrets/$name" ]; then
        head -c 48 /dev/urandom | base64 | tr -d '\n=+/' > "secrets/$name"
        chmod 0444 "secrets/$name"
        echo "configure: generated secrets/$name"
    fi
done
