#!/usr/bin/env bash
# Creates .env and secrets/ if they are missing; never overwrites them.
# Refuses if data exist that only the missing secrets fit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
umask 077

secrets="secret_key redis_password"

lost() { # the missing files
    [ -f .env ] || echo .env
    for name in $secrets; do [ -s "secrets/$name" ] || echo "secrets/$name"; done
}

if [ -d secrets ] && ! ls secrets > /dev/null 2>&1; then
    echo "configure: found:    secrets/, which $(id -un) may not read" >&2
    echo "configure: expected: the user who first called make up, or root" >&2
    echo "configure: fix:      sudo chown -R $(id -un) secrets .env   or: sudo make up" >&2
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

# Writes the variables of the first call to .env, so that later calls need not repeat them. Rejects invalid values
# first, since later calls would read them too. The check of .env tests them more thoroughly.
judge() { # judge NAME PATTERN EXPECTED
    [[ -z ${!1:-} || ${!1} =~ $2 ]] && return
    printf 'configure: found:    %s\nconfigure: expected: %s\nconfigure: fix:      %s\n' \
        "$1=${!1}" "$3" "another $1, or none: .env.example explains it" >&2
    wrong=yes
}

write_env() {
    local name
    wrong='' # scratch is not local: the trap needs it after the function returns
    judge HTTP_PORT '^[1-9][0-9]{0,4}$' "a port number, 1 to 65535"
    judge BIND_ADDRESS '^([0-9.]+|\[[0-9a-fA-F:.]+\])$' "an address such as 127.0.0.1, 0.0.0.0 or [::]"
    judge PUBLIC_URL '^https?://[^[:space:]/]+$' "http:// or https:// and a host, such as https://example.com:8443"
    [ -z "$wrong" ] || exit 1
    # Written to a temporary file and renamed: a Ctrl-C leaves no .env or a complete one.
    scratch=$(mktemp .env.XXXXXX)
    trap 'rm -f "$scratch"' EXIT
    trap 'exit 130' INT TERM HUP
    cat .env.example > "$scratch"
    for name in BIND_ADDRESS COMPOSE_PROJECT_NAME HTTP_PORT; do
        [ -z "${!name:-}" ] || bash deploy/dotenv.sh set "$name" "${!name}" "$scratch"
    done
    bash deploy/dotenv.sh set PUBLIC_URL "${PUBLIC_URL:-http://localhost:${HTTP_PORT:-8080}}" "$scratch"
    mv "$scratch" .env
    trap - EXIT INT TERM HUP
    echo "configure: wrote .env; .env.example explains it"
}
[ -f .env ] || write_env

# The folder's mode keeps the host's other users out. The files are readable for the containers' users.
mkdir -p secrets
for name in $secrets; do
    if [ ! -s "secrets/$name" ]; then
        head -c 48 /dev/urandom | base64 | tr -d '\n=+/' > "secrets/$name"
        chmod 0444 "secrets/$name"
        echo "configure: generated secrets/$name"
    fi
done
