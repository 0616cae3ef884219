#!/usr/bin/env bash
# Reports what is wrong with this machine, this .env or the running stack, and the command or line that fixes it.
#
#   deploy/doctor.sh            one line for each passed check, three for each finding, and the count
#   deploy/doctor.sh --json     {"findings": [{check, level, found, expected, fix}, …], ok, warnings, errors}
#
# Changes nothing. Exits with 1 on errors, not on warnings. This script checks what needs no engine;
# deploy/doctor/ runs in a container and checks the containers and their contents.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# shellcheck source=deploy/lib/versions.sh
. deploy/lib/versions.sh
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh
# shellcheck source=deploy/lib/wanted.sh
. deploy/lib/wanted.sh
# shellcheck source=deploy/lib/nginx.sh
. deploy/lib/nginx.sh

SEPARATOR=$'\037' # between the fields of deploy/doctor/'s findings

case ${1:-} in
'') json= ;;
--json) json=yes ;;
*) echo "usage: bash deploy/doctor.sh [--json]" >&2 && exit 2 ;;
esac

# ── What is found ──────────────────────────────────────────────────────────────────────────────

oks=0 warnings=0 errors=0 comma=

quoted() { # as a JSON string
    local text=${1//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}" | tr -d '\000-\037'
}

finding() { # finding CHECK ok|warning|error FOUND [EXPECTED FIX]
    case $2 in ok) oks=$((oks + 1)) ;; warning) warnings=$((warnings + 1)) ;; *) errors=$((errors + 1)) ;; esac
    if [ -n "$json" ]; then
        printf '%s\n{"check": %s, "level": %s, "found": %s, "expected": %s, "fix": %s}' "$comma" \
            "$(quoted "$1")" "$(quoted "$2")" "$(quoted "$3")" "$(quoted "${4:-}")" "$(quoted "${5:-}")"
        comma=,
    elif [ "$2" = ok ]; then
        printf 'doctor: ok       %s: %s\n' "$1" "$3"
    else
        printf 'doctor: %-8s %s: found:    %s\n' "$2" "$1" "$3"
        printf "doctor: %$((10 + ${#1}))s %s\n" "" "expected: $4" "" "fix:      $5"
    fi
}

finish() {
    if [ -n "$json" ]; then
        printf '\n], "ok": %s, "warnings": %s, "errors": %s}\n' "$oks" "$warnings" "$errors"
    else
        printf 'doctor: %s ok, %s warning(s), %s error(s)\n' "$oks" "$warnings" "$errors"
    fi
    [ "$errors" = 0 ]
    exit
}

# A command's output in one line, without Compose's warnings, which could push out the reason.
one_line() { grep -v '^time=".*level=warning' | tr '\n' ' ' | cut -c 1-300; }

# ── Machine and files ──────────────────────────────────────────────────────────────────────────

check_machine() { # preflight's problems, each in three parts
    local said found='' expected='' level=error
    said=$(bash deploy/preflight.sh 2>&1)
    while IFS= read -r line; do
        case $line in
        'preflight: ok ('*) line=${line#*(} && finding machine ok "${line%)}" ;;
        'preflight: found:    '*) found=${line#*:    } level=error ;;
        'preflight: warning:  '*) found=${line#*warning:  } level=warning ;;
        'preflight: expected: '*) expected=${line#*expected: } ;;
        'preflight: fix:      '*) finding machine "$level" "$found" "$expected" "${line#*:      }" ;;
        esac
    done <<< "$said"
}

check_project() { # the scripts refuse names that images cannot have; without a name, nothing can be checked
    local said
    if project=$(project_name . 2> /dev/null); then return; fi
    said=$(project_name . 2>&1)
    part() { sed -n "s/^dotenv: $1: *//p" <<< "$said"; }
    finding project error "$(part found)" "$(part expected)" "$(part fix)"
    return 1
}

mode() { stat -L -c %a "$1" 2> /dev/null || stat -L -f %Lp "$1"; } # GNU or BSD; follows links

# Only compose.yaml lists the secrets.
secrets() { sed -n 's|.*file: \(secrets/[a-z0-9_]*\).*|\1|p' compose.yaml; }

check_file() { # check_file FILE MODE LEVEL WHY
    [ "$(mode "$1")" = "$2" ] && return
    finding files "$3" "$1 has the mode $(mode "$1")" "$2: $4" "chmod $2 $1"
    return 1
}

check_files() {
    local secret said level=warning well=yes
    # Before the first `make up` the file does not exist yet. If something was started, it is lost.
    [ -z "$containers$volumes" ] || level=error
    if [ ! -f .env ]; then
        finding files "$level" "no .env" "the stack's settings" "make up   (says what to put back, if it was lost)"
        well=
    else
        check_file .env 600 warning "readable and writable only by its owner" || well=
    fi
    for secret in $(secrets); do
        if [ ! -s "$secret" ]; then
            finding files "$level" "no $secret, or an empty one" "a generated secret" "make up   (says what to put back, if it was lost)"
            well=
        else
            check_file "$secret" 444 error "each container reads it as its own user; the folder keeps others out" || well=
        fi
    done
    if [ -s secrets/redis_password ] && ! said=$(bash deploy/secret-digests.sh check 2>&1); then
        finding files error "$(sed -n 's/^secrets: found: *//p' <<< "$said")" \
            "$(sed -n 's/^secrets: expected: *//p' <<< "$said")" "$(sed -n 's/^secrets: fix: *//p' <<< "$said"), then make up"
        well=
    fi
    if [ -d secrets ]; then check_file secrets 700 error "accessible only to its owner" || well=; fi
    [ -z "$well" ] || finding files ok ".env and $(secrets | grep -c .) secrets are there, and private"
}

# ── Configuration ──────────────────────────────────────────────────────────────────────────────

image() { docker image inspect --format '{{.Id}}' "$1" 2> /dev/null; }

not_built() { finding "$1" warning "not checked: no image $2" "one to check it with" "make up"; }

check_env() {
    local said line name
    if ! image "$project-web" > /dev/null; then not_built env "$project-web"; return; fi
    if said=$(bash deploy/check-env.sh --built 2>&1 > /dev/null); then
        finding env ok "every variable is known and makes sense, as Compose resolves them"
        return
    fi
    if [[ $said != configuration:* ]]; then
        finding env error "the check of the variables failed: $(one_line <<< "$said")" "a verdict" "make up"
        return
    fi
    while IFS= read -r line; do
        name=${line%%:*}
        case $line in
        *": line "[0-9]*) finding env error "$line" "a line that Compose can read" "correct it, then make up" ;;
        *"set in the shell"* | *"set and empty in the shell"*) finding env error "$line" "what docs/configuration.md says of it" "unset $name, or correct it where it is set; then make up" ;;
        *"did you mean "*) finding env error "$line" "a known name" "in .env: ${line##*did you mean } instead of $name" ;;
        *) finding env error "$line" "what docs/configuration.md says of it" "correct $name in .env, then make up" ;;
        esac
    done < <(sed -n 's/^  *//; 2,$p' <<< "$said" | sed 's/?$//')
}

check_compose() {
    local said
    if said=$(docker compose config --quiet 2>&1); then
        finding compose ok "docker compose config"
    else
        finding compose error "$(one_line <<< "$said")" "docker compose config accepts it" "what it names, in .env or compose.yaml"
        return 1
    fi
}

# Runs as a separate project, so that it creates nothing in the stack's and leaves nothing behind.
check_nginx() {
    local said status=0
    if ! image "$project-nginx" > /dev/null; then not_built nginx "$project-nginx"; return; fi
    said=$(pack_nginx | nginx_project run --rm --no-deps -T "${NGINX_TRIAL[@]}" nginx -t 2>&1) || status=$?
    nginx_project down --volumes > /dev/null 2>&1
    if [ "$status" = 0 ]; then
        finding nginx ok "nginx -t, as the built image and .env have it"
    else
        finding nginx error "$(one_line <<< "${said:-no answer}")" \
            "nginx -t accepts it" "what it names, under nginx/ or in .env; then make up"
    fi
}

nginx_project() { # nginx_project COMPOSE-ARGUMENT…
    local separator
    separator=$(bash deploy/dotenv.sh get COMPOSE_PATH_SEPARATOR :)
    COMPOSE_FILE="$(bash deploy/dotenv.sh get COMPOSE_FILE compose.yaml)${separator}deploy/doctor/nginx-check.yaml" \
        COMPOSE_PATH_SEPARATOR="$separator" BUILT_NGINX="$project-nginx" \
        docker compose --progress quiet --project-name "$project-doctor" "$@"
}

# ── The running stack ──────────────────────────────────────────────────────────────────────────

check_folder() {
    locate "$project"
    if [ -n "$elsewhere" ]; then
        finding folder error "project $project belongs to $elsewhere" "this folder, $PWD" "make doctor   there; or here $(ways_on)"
    elif [ -n "$moved" ] && [ -n "$containers" ]; then
        finding folder error "the containers were started from $moved, which is gone: none of them starts again without its secrets" \
            "from this folder, $PWD" "make up   (replaces them)"
    fi
}

check_published() {
    local address port status
    address=$(bash deploy/dotenv.sh get BIND_ADDRESS 127.0.0.1)
    port=$(bash deploy/dotenv.sh get HTTP_PORT 8080)
    own_nginx_holds "$project" "$port" 2> /dev/null || return 0 # nginx does not run or is outdated: other checks report that
    status=$(page_status "$address" "$port") || true
    if [ "$status" = 200 ]; then
        finding port ok "$address:$port answers with a page"
    elif [ -n "$status" ]; then
        finding port error "$address:$port answers with $status" "200 from /health/live" "make logs S=nginx; make ps"
    else
        finding port error "nginx runs, and no page comes from $address:$port" "200 from /health/live" "docker compose up -d --force-recreate --no-deps nginx"
    fi
}

# If the engine's proxy passes connections on, nginx sees the address of the engine's gateway, not the client's.
check_addresses() {
    local address hidden='' nginx cure=''
    address=$(bash deploy/dotenv.sh get BIND_ADDRESS 127.0.0.1)
    case $address in 127.* | ::1 | '[::1]')
        finding addresses ok "only this machine can connect (BIND_ADDRESS is $address); nginx sees the address of the engine's gateway on every connection"
        return
        ;;
    esac
    nginx=$(docker ps --quiet --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.service=nginx |
        head -n 1)
    [ -n "$nginx" ] || return 0 # other checks report that
    case "$(docker info --format '{{.OperatingSystem}} {{.SecurityOptions}}' 2> /dev/null)" in
    *'Docker Desktop'* | *name=rootless*) hidden="every client" ;;
    *)
        if [[ $address == *:* ]] && [ -z "$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}' "$nginx")" ]; then
            hidden="every client that uses IPv6"
            cure="give the network edge IPv6 in an overlay (networks: {edge: {enable_ipv6: true, …}}); or, "
        fi
        ;;
    esac
    if [ -z "$hidden" ]; then
        finding addresses ok "nginx sees each client's own address, except on connections from this machine"
    elif [[ ,$(bash deploy/dotenv.sh get ADMIN_NETWORKS "" | tr -d ' '), == *,gateway,* ]]; then
        finding addresses warning "nginx sees the address of the engine's gateway instead of the address of $hidden, and ADMIN_NETWORKS lets that address open /admin/" \
            "each client's own address" "remove gateway from ADMIN_NETWORKS in .env; then make up"
    else
        finding addresses warning "nginx sees the address of the engine's gateway instead of the address of $hidden, so /admin/ is closed to them" \
            "each client's own address" "${cure}to open /admin/ to all of them, add gateway to ADMIN_NETWORKS in .env; then make up"
    fi
}

# Runs in each container, with its name. Prints how many processes the kernel has killed there for lack of memory
# (two places: cgroup v2, v1), and for each process its pid, open files, limit of open files, and name.
# shellcheck disable=SC2016  # for the shell in the container
INSIDE='echo "==== kills $1"
while read -r event count; do
    [ "$event" != oom_kill ] || echo "$count"
done < /sys/fs/cgroup/memory.events || while read -r event count; do
    [ "$event" != oom_kill ] || echo "$count"
done < /sys/fs/cgroup/memory/memory.oom_control
[ ! -r /run/nginx/events.conf ] || { echo "==== connections $1" && tr -cd 0-9 < /run/nginx/events.conf && echo; }
echo "==== descriptors $1"
cd /proc && for p in [0-9]*; do
    [ -r "$p/fd" ] && set -- $(ls "$p/fd") && limit=$(while read -r a b c soft rest; do
        [ "$a $b $c" != "Max open files" ] || echo "$soft"; done < "$p/limits") &&
        read -r name < "$p/comm" && [ -n "$limit" ] && echo "$p $# $limit $name"
done'

facts() { # input for deploy/doctor/facts.py: what is not visible inside a container
    local id name service image sockets
    printf '==== project\n%s\n==== containers\n' "$project"
    # shellcheck disable=SC2086  # one argument each
    [ -z "$containers" ] || docker inspect $containers
    data_facts
    echo "==== sockets"
    if sockets=$(bash deploy/websockets.sh 2> /dev/null); then
        echo "$sockets $(asked_for "$sockets" 2> /dev/null | grep -E '^[0-9]+$')"
    fi
    echo "==== hashes"
    # Hash the output of `config`: `config --hash` alone leaves out env_file.
    docker compose config 2> /dev/null | docker compose --file - config --hash '*' 2> /dev/null
    echo "==== images"
    for image in "$project-web" "$project-nginx" "$project-redis"; do echo "$image $(image "$image")"; done
    while read -r id name service; do
        docker exec "$id" sh -c "$INSIDE" sh "$name" 2> /dev/null
        if [ "$service" = redis ]; then
            echo "==== redis"
            docker exec "$id" redis-report.sh 2>&1
        fi
    done < <(running)
}

data_facts() {
    local id
    echo "==== volumes"
    for id in data redis; do ! kept "$id" > /dev/null || echo "$id"; done
    echo "==== backups"
    # shellcheck disable=SC2010  # the newest first, and the names are ours
    ls -t backups/*.tar.gz 2> /dev/null | grep -v '\.in-part\.tar\.gz$'
    echo "==== redis files"
    id=$(docker ps --quiet --filter health=healthy --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.service=redis)
    if [ -n "$id" ]; then
        docker exec "$id" redis-files.sh 2> /dev/null
    elif kept redis > /dev/null && image "$project-redis" > /dev/null; then
        docker run --rm --network none --read-only --volume "$(kept redis):/data" --entrypoint redis-files.sh "$project-redis" check 2> /dev/null
    fi
}

kept() { # kept data|redis: the engine's name of the volume, or the folder that an overlay mounts instead; if it exists
    local where
    if [ "$1" = data ]; then where=$(mounted migrate /srv/data); else where=$(mounted redis /data); fi
    case $where in
    /*) [ -d "$where" ] || return ;;
    '') # Compose cannot read the configuration
        where=$(docker volume ls --quiet --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.volume=$1")
        [ -n "$where" ] || return
        ;;
    *) docker volume inspect "$where" > /dev/null 2>&1 || return ;;
    esac
    echo "$where"
}

# Runs without the stack's networks and settings: checks only the facts and the database's file.
outside() {
    local data
    local -a options=(--env DATA_DIR=/srv/data --env SECRET_KEY=unused --env PUBLIC_URL=http://unused)
    options+=(--env REDIS_URL=unused --env REDIS_PASSWORD=unused)
    ! data=$(kept data) || options+=(--volume "$data:/srv/data:ro")
    docker run --rm --interactive --network none --read-only "${options[@]}" "$project-web" python -m deploy.doctor 2>&1
}

# Containers that accept an exec: neither stopped nor paused.
running() { # ID NAME SERVICE
    docker ps --no-trunc --filter status=running --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.oneoff=False \
        --format '{{.ID}} {{.Names}} {{.Label "com.docker.compose.service"}}'
}

check_stack() {
    local inside said line status=0
    # Run in a container of the stack, which has its networks and settings.
    inside=$(running | awk '$3 == "web" || $3 == "daphne" || $3 == "uvicorn" { print $3, $1 }' | sort -r | awk 'NR == 1 { print $2 }')
    if [ -n "$inside" ]; then
        said=$(facts | docker exec --interactive "$inside" python -m deploy.doctor --live 2>&1) || status=$?
    else
        [ -z "$containers" ] ||
            finding inside warning "nothing was tried from inside: neither web nor a WebSocket worker runs" "one of them" "make up"
        said=$(facts | outside) || status=$?
    fi
    while IFS="$SEPARATOR" read -r check level found expected fix; do
        case $level in ok | warning | error) finding "$check" "$level" "$found" "$expected" "$fix" ;; esac
    done <<< "$said"
    [ "$status" != 0 ] || return 0
    said=$(tail -n 1 <<< "$said")
    case $said in
    *"No module named"*) finding inside error "an older image, without the checks" "the present one" "make up" ;;
    *) finding inside error "the checks inside broke off: $said" "findings" "fix the errors above; make logs S=web" ;;
    esac
}

# ── All ────────────────────────────────────────────────────────────────────────────────────────

[ -z "$json" ] || printf '{"findings": ['
check_machine
containers='' volumes=''
if ! check_project; then
    check_files
    finish
fi
if engine_version > /dev/null; then
    containers=$(docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.oneoff=False)
    volumes=$(docker volume ls --quiet --filter "label=com.docker.compose.project=$project")
    check_files
else
    check_files
    finding stack warning "images and running stack were not looked at: no engine answers" "an engine" "bash deploy/engine.sh"
    finish
fi
if [ -f .env ]; then
    check_env
    if check_compose; then check_nginx; fi
fi
check_folder
if [ -n "$containers" ]; then
    check_published
    check_addresses
    check_stack
else
    finding stack warning "the stack does not run" "containers of the project $project" "make up"
    [ -z "$volumes" ] || ! image "$project-web" > /dev/null || check_stack
fi
finish
