#!/usr/bin/env bash
# Checks whether this machine can run the stack, before anything is built or started.
#
#   deploy/preflight.sh     after deploy/engine.sh
#
# Prints each problem as found / expected / fix and exits with 1 if there is one. Prints one
# line if there is none.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${here%/*}
# shellcheck source=deploy/lib/versions.sh
. "$here/lib/versions.sh"
# shellcheck source=deploy/lib/place.sh
. "$here/lib/place.sh"
# shellcheck source=deploy/lib/port.sh
. "$here/lib/port.sh"

problems=0 engine_elsewhere=
problem() { # problem FOUND EXPECTED FIX
    problems=$((problems + 1))
    printf 'preflight: found:    %s\npreflight: expected: %s\npreflight: fix:      %s\n' "$1" "$2" "$3" >&2
}

check_versions() {
    at_least "$engine" "$MIN_ENGINE" ||
        problem "Docker engine $engine" "$MIN_ENGINE or newer" "upgrade Docker Engine or Docker Desktop"
    local compose buildx
    compose=$(compose_version) || compose=none
    buildx=$(buildx_version) || buildx=none
    at_least "$compose" "$MIN_COMPOSE" || problem "Compose $compose" "$MIN_COMPOSE or newer" "bash deploy/engine.sh"
    at_least "$buildx" "$MIN_BUILDX" || problem "buildx $buildx" "$MIN_BUILDX or newer" "bash deploy/engine.sh"
}

# Checks the engine's resources: Docker Desktop's is a virtual machine with less than this machine has.
check_size() { # check_size CPUS MEMORY-BYTES
    [ "$1" -ge 1 ] || problem "an engine with $1 CPUs" "1 or more" "Docker Desktop: Settings, Resources"
    [ "$2" -ge $((1536 * 1024 * 1024)) ] || problem "an engine with $(($2 / 1048576)) MiB of memory" \
        "1536 MiB or more" "a larger machine, or Docker Desktop: Settings, Resources"
}

# A limit reserves nothing. If the limits exceed the memory together, that is only a risk; for one container, a fault.
check_limits() { # check_limits MEMORY-BYTES
    local service limit number sum=0 problems_before=$problems
    while read -r service limit number; do
        [ "$limit" -le "$1" ] ||
            problem "a limit of $((limit / 1048576)) MiB for $service, and an engine with $(($1 / 1048576)) MiB of memory" \
                "a limit below that" "a smaller $(tr '[:lower:]' '[:upper:]' <<< "$service")_MEMORY in .env"
        sum=$((sum + limit * number))
    done < <(memory_limits)
    if [ "$problems" = "$problems_before" ] && [ "$sum" -gt "$1" ]; then
        printf 'preflight: warning:  %s\npreflight: expected: %s\npreflight: fix:      %s\n' \
            "limits of $((sum / 1048576)) MiB for all containers together, and an engine with $(($1 / 1048576)) MiB of memory" \
            "no more than that: when several are at their limit at once, the kernel kills any of them" \
            "fewer workers (make scale N=…) or smaller *_MEMORY in .env; or more memory" >&2
    fi
}

memory_limits() { # SERVICE BYTES REPLICAS of all lasting services; nothing if Compose cannot read the configuration
    { cd "$root" && docker compose config 2> /dev/null | tr -d '"'; } | awk '
        function tell() { if (limit && service != "migrate") print service, limit, number == "" ? 1 : number; limit = number = "" }
        /^[^ ]/ { tell(); top = $1 }
        top != "services:" { next }
        /^  [^ ]/ { tell(); service = $1; sub(/:$/, "", service) }
        /^    [^ ]/ { key = $1 }
        /^    mem_limit: / || (key == "deploy:" && /^          memory: /) { limit = $2 }
        /^    scale: / || (key == "deploy:" && /^      replicas: /) { number = $2 }
        END { tell() }'
}

check_disk() { # check_disk FOLDER, if it is on this machine and readable
    local free
    free=$(df -Pk "$1" 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }') || free=
    [ -z "$free" ] || [ "$free" -ge 3072 ] || problem "$free MiB free in $1, where the engine keeps images" \
        "3072 MiB or more" "free some; what Docker itself could give back: docker system df"
}

check_folder() {
    local part endpoint
    if part=$(unusable_part "$root"); then
        problem "$part in the folder's path, $root" "a path that Compose and BuildKit can take" \
            "mv $(printf %q "$root") <another name>"
        return
    fi
    mkdir -p "$root/.state" 2> /dev/null || true
    if engine_sees "$root"; then return; fi
    engine_elsewhere=yes
    endpoint=${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2> /dev/null)} || endpoint=
    problem "an engine${endpoint:+ at $endpoint} that does not have this folder's files at $root" \
        "one that has: containers get their secrets from there" \
        "make up on the engine's own machine; or another engine: docker context ls; unset DOCKER_HOST"
}

check_port() {
    local address port project holder
    address=$(bash "$here/dotenv.sh" get BIND_ADDRESS 127.0.0.1)
    port=$(bash "$here/dotenv.sh" get HTTP_PORT 8080)
    # The check of .env reports invalid values, with all other faults.
    if ! [[ $port =~ ^[0-9]{1,5}$ && $address =~ ^[][0-9a-fA-F.:]+$ ]]; then return; fi
    project=$(project_name "$here/..")
    # nginx listens there, so the engine has that address, whatever this machine's table says.
    if own_nginx_listens "$project" "$address" "$port"; then return; fi
    if foreign "$address"; then
        problem "BIND_ADDRESS=$address, which is no address of this machine" "one of: hostname -I" \
            "BIND_ADDRESS=127.0.0.1, or 0.0.0.0 for all of them, in .env"
        return
    fi
    if own_nginx_holds "$project" "$port"; then return; fi
    holder=$(port_holder "$address" "$port")
    [ -z "$holder" ] || problem "port $address:$port is taken by $holder" "a free port for the stack (project $project)" \
        "HTTP_PORT=$(free_port "$address" "$port") in .env, and the same port in PUBLIC_URL; or stop $holder"
}

if ! engine=$(engine_version); then
    problem "no answer from a Docker engine" "docker info shows a server" "bash deploy/engine.sh"
    exit 1
fi
check_versions
IFS='|' read -r cpus memory folder < <(docker info --format '{{.NCPU}}|{{.MemTotal}}|{{.DockerRootDir}}' 2>/dev/null)
check_size "$cpus" "$memory"
check_limits "$memory"
check_folder
# Otherwise these would check the wrong machine.
[ -n "$engine_elsewhere" ] || { check_disk "$folder"; check_port; }

[ "$problems" = 0 ] || exit 1
printf 'preflight: ok (engine %s, Compose %s, %s CPUs, %s MiB)\n' \
    "$engine" "$(compose_version)" "$cpus" "$((memory / 1048576))"
