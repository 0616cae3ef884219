# shellcheck shell=bash
# Rolling replacement of `web` and of the service with the WebSockets by the image that their name stands for.
# Sourced by deploy.sh and rollback.sh: begin, then whatever gives the name another image, then roll.
#
# A new container is kept out of nginx's sight until it is healthy: the engine's name server gives an address
# as soon as its container runs, and one without sockets gets all the next ones.

# shellcheck source=deploy/lib/images.sh
. deploy/lib/images.sh
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

HEALTHY_SECONDS=${HEALTHY_SECONDS:-120} # for new containers, whatever compose.yaml's health check says meanwhile
SEEN_SECONDS=20 # for nginx to pass something to each of them

FORGOTTEN_SECONDS=2 # nginx asks for names once a second (nginx/templates/environment.conf.template)

# While old and new serve side by side: how many of each there should be, and the command that was at it.
REPLACING=.state/replacing

command='' project='' stage=''
before='' named='' before_nginx='' before_redis='' # images: what serves, and what the names stand for
halfway='' # the command that was broken off while it replaced
sockets='' # the service that has the WebSockets
old_web='' old_sockets='' new='' nginx='' renewed='' # containers' ids

say() { printf '%s: %3d s  %s\n' "$command" "$SECONDS" "$*"; }
fail() { refuse "$command" "$@"; } # fail FOUND EXPECTED MEND

of() { # of SERVICE [DOCKER-PS-OPTION…]: its containers' ids
    docker ps --no-trunc --quiet --filter "label=com.docker.compose.project=$project" \
        --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False "${@:2}"
}
name_of() { docker inspect --format '{{slice .Name 1}}' "$1"; }
service_of() { docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}}' "$1"; }
networks_of() { docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' "$1"; }

# ── Beginning and end ──────────────────────────────────────────────────────────────────────────

begin() { # begin COMMAND
    command=$1
    lock "$command"
    bash deploy/engine.sh
    own "$command"
    project=$(project_name .)
    sockets=$(bash deploy/websockets.sh 2> /dev/null) || true # .env is at fault, which prepare.sh says better
    named=$(running_image "$project")
    before=$(served_image "$project")
    before_redis=$(image_id "$project-redis") || true
    if [ -z "$named" ] || { [ -n "$sockets" ] && [ -z "$(of "$sockets" --filter status=running)" ]; } ||
        [ -z "$(of nginx --filter status=running)" ]; then
        fail "no running web, ${sockets:-daphne} and nginx of project $project" "a running stack" "make up"
    fi
    before_nginx=$(docker inspect --format '{{.Image}}' "$(of nginx --filter status=running)")
    if [ -s "$REPLACING" ]; then
        read -r _ _ halfway < "$REPLACING"
        named=$(image_id "$project-web") || fail "no image $project-web" "the one that was begun with" "make up"
    fi
    stage=preparing
    trap leave EXIT
    # Without a trap bash takes a lost terminal for success.
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 141' PIPE
    trap 'exit 143' TERM
}

leave() { # however it ends
    local status=$?
    trap '' HUP INT PIPE TERM
    set +e
    if [ "$status" != 0 ]; then
        case $stage in
        preparing) restore_names ;;
        starting) undo ;;
        replacing) say "broken off: old and new containers serve side by side; make $command again ends it, make rollback goes back" >&2 ;;
        esac
    fi
    unlock
    exit "$status"
}

# Else the next `docker compose up` would start what has failed here.
restore_names() {
    docker tag "$named" "$project-web"
    [ -z "$before_nginx" ] || docker tag "$before_nginx" "$project-nginx"
    [ -z "$before_redis" ] || docker tag "$before_redis" "$project-redis"
}

undo() { # nothing has gone to a new container, or what has is drained
    say "taking back: the new containers leave, the build before keeps serving" >&2
    find_new
    # shellcheck disable=SC2086  # one argument each
    [ -z "$new" ] || { docker stop $new; docker rm --force --volumes $new; } > /dev/null
    restore_names
    # nginx's configuration of the build before, and not by all of `migrate`: it may refuse the new migrations.
    docker compose run --rm --no-deps -T migrate flock --timeout 60 data/migrate.lock python services/migrate/publish.py > /dev/null 2>&1
    take_nginx_back
    migrate > /dev/null 2>&1 ||
        say "the build before refuses the migrations of this one, as soon as it starts anew: make $command   of a build that knows them" >&2
}

take_nginx_back() {
    if [ -z "$renewed" ]; then
        docker exec "$nginx" nginx-reload.sh > /dev/null
        say "nothing was changed for clients" >&2
    # A healthy one stays, and Compose leaves it alone.
    elif docker compose up --detach --wait --no-deps --no-build nginx > /dev/null 2>&1; then
        docker exec "$(of nginx)" nginx-reload.sh > /dev/null
        say "nginx was replaced, and clients resume; nothing else was changed for them" >&2
    else
        say "nginx was replaced, and does not get healthy with this .env and the image of before: make logs S=nginx" >&2
    fi
}

# ── Steps ──────────────────────────────────────────────────────────────────────────────────────

roll() {
    local web number
    old_web=$(of web --all)
    old_sockets=$(of "$sockets" --all)
    nginx=$(of nginx --filter status=running)
    web=$(count web 1)
    number=$(count "$sockets" "$(bash deploy/dotenv.sh get "${sockets^^}_REPLICAS" 2)")
    # A run that was broken off has left more than there should be.
    [ ! -s "$REPLACING" ] || read -r web number _ < "$REPLACING"
    check_memory

    stage=starting
    say "migrations, and nginx's configuration"
    migrate || fail "migrate ended with an error, above" "0" "what it names; then make $command"

    say "starting $number $sockets and $web web beside the old"
    create "$web" "$number"
    hide
    # shellcheck disable=SC2086  # one argument each
    docker start $new > /dev/null
    wait_until_healthy
    renew_nginx
    admit
    stage=replacing
    echo "$web $number $command" > "$REPLACING"
    remember "$project" "$before" "${halfway:+$named}"
    # shellcheck disable=SC2086  # one argument each
    retire $old_sockets
    # shellcheck disable=SC2086
    retire $old_web
    rm "$REPLACING"
    say "every web and $sockets container is new: $(of "$sockets" | wc -l) $sockets, $(of web | wc -l) web"
    leftovers
}

count() { # count SERVICE LEAST: as many as serve now; those that nginx cannot see were left by a run that was killed
    local id serving=0
    for id in $(of "$1" --filter status=running); do
        if visible "$id"; then serving=$((serving + 1)); fi
    done
    echo $((serving > $2 ? serving : $2))
}

visible() { # visible CONTAINER: does its service's name lead to it where nginx is?
    local network service
    service=$(service_of "$1")
    for network in $(shared "$1"); do
        [[ " $(aliases "$1" "$network") " != *" $service "* ]] || return 0
    done
    return 1
}
shared() { # shared CONTAINER: the networks on which nginx is too
    comm -12 <(networks_of "$1" | tr ' ' '\n' | sed '/^$/d' | sort) <(networks_of "$nginx" | tr ' ' '\n' | sed '/^$/d' | sort)
}
aliases() { # aliases CONTAINER NETWORK
    docker inspect --format "{{with index .NetworkSettings.Networks \"$2\"}}{{range .Aliases}}{{.}} {{end}}{{end}}" "$1"
}

# For a minute there are twice as many. The kernel counts for the engine's machine, wherever that is.
check_memory() {
    local id used=0 free
    for id in $(of web --filter status=running) $(of "$sockets" --filter status=running); do
        used=$((used + $(docker exec "$id" sh -c 'cat /sys/fs/cgroup/memory.current || cat /sys/fs/cgroup/memory/memory.usage_in_bytes' 2> /dev/null || echo 0)))
    done
    free=$(docker exec "$nginx" awk '$1 == "MemAvailable:" { printf "%d", $2 * 1024 }' /proc/meminfo)
    [ "${free:-$used}" -ge "$used" ] || fail "$((free / 1048576)) MiB of memory free" \
        "$((used / 1048576)) MiB, which web and $sockets use now: for a minute there are twice as many" "free some; or make scale N=<fewer>"
}

migrate() {
    local id status
    docker compose up --detach --no-deps --force-recreate --no-build migrate > /dev/null 2>&1 || return
    id=$(of migrate --all)
    status=$(docker wait "$id")
    if [ "$status" = 0 ]; then
        docker logs "$id" 2>&1 | sed -n "s/^ *Applying \(.*\)\.\.\. *OK.*/$command:        applied \1/p"
    else
        docker logs --tail 20 "$id" >&2
    fi
    return "$status"
}

create() { # create WEB SOCKETS
    local output
    output=$(docker compose up --no-start --no-deps --no-recreate --no-build --scale "web=$(($(wc -w <<< "$old_web") + $1))" \
        --scale "$sockets=$(($(wc -w <<< "$old_sockets") + $2))" web "$sockets" 2>&1) || echo "$output" >&2
    find_new
    [ "$(wc -w <<< "$new")" -eq $(($1 + $2)) ] ||
        fail "$(wc -w <<< "$new") new containers" "$(($1 + $2))" "make doctor; then make $command"
}

find_new() {
    new=$({ of web --all && of "$sockets" --all; } | grep -vxF "$old_web
$old_sockets") || true # none
}

reattach() { # reattach CONTAINER NETWORK ALIAS…
    local -a options=()
    local alias
    for alias in "${@:3}"; do options+=(--alias "$alias"); done
    docker network disconnect "$2" "$1"
    docker network connect "${options[@]}" "$2" "$1"
}

hide() { # they keep their networks, and lose the name that nginx asks for
    local id network
    for id in $new; do
        for network in $(shared "$id"); do reattach "$id" "$network" "$(name_of "$id")"; done
    done
}

wait_until_healthy() {
    local id state end=$((SECONDS + HEALTHY_SECONDS)) healthy
    while :; do
        healthy=0
        for id in $new; do
            state=$(docker inspect --format '{{.State.Status}} {{.State.Health.Status}} {{.RestartCount}}' "$id")
            case $state in
            'running healthy 0') healthy=$((healthy + 1)) ;;
            'running '*' 0') [ "$SECONDS" -lt "$end" ] || unhealthy "$id" "not healthy after $HEALTHY_SECONDS s" ;;
            *) unhealthy "$id" "${state% *}, restarted ${state##* } times" ;;
            esac
        done
        if [ "$healthy" -eq "$(wc -w <<< "$new")" ]; then break; fi
        sleep 0.5
    done
    say "the new ones are healthy"
}

unhealthy() { # unhealthy CONTAINER FOUND
    local name
    name=$(name_of "$1")
    say "$name: its health check and its last lines:" >&2
    docker inspect --format '{{range .State.Health.Log}}{{.Output}}{{end}}' "$1" | sed '/^$/d' | tail -n 3 | sed 's/^/  /' >&2
    docker logs --tail 15 "$1" 2>&1 | sed 's/^/  /' >&2
    fail "$name is $2" "a healthy container" "what its log names; then make $command"
}

# Replaced only when Compose would do so: for another image, or other settings.
renew_nginx() {
    local now wanted said
    now=$(docker inspect --format '{{.Image}} {{index .Config.Labels "com.docker.compose.config-hash"}}' "$nginx")
    wanted="$(image_id "$project-nginx") $(docker compose config --hash nginx | awk '{ print $2 }')"
    if [ "$now" = "$wanted" ]; then
        said=$(docker exec "$nginx" nginx-reload.sh) ||
            fail "an nginx that does not load the configuration of this build, above" "it loaded" "make logs S=nginx; then make $command"
        say "nginx: $said"
    else
        say "nginx: another base image or other settings: it is replaced itself, and every client resumes"
        renewed=yes
        docker compose up --detach --no-deps --no-build --wait nginx > /dev/null 2>&1 ||
            fail "an nginx that does not get healthy" "a healthy one" "make logs S=nginx; then make up"
        nginx=$(of nginx --filter status=running)
        before_nginx=''
    fi
}

admit() { # and wait until nginx has passed something to each
    local id network service address waiting='' end=$((SECONDS + SEEN_SECONDS))
    for id in $new; do
        service=$(service_of "$id")
        for network in $(shared "$id"); do
            reattach "$id" "$network" "$service" "$(name_of "$id")"
            address=$(docker inspect --format "{{(index .NetworkSettings.Networks \"$network\").IPAddress}}" "$id")
            waiting="$waiting $service/$address:8000"
        done
    done
    for address in $waiting; do
        service=${address%%/*}
        until [ "$service/$(answering "$service")" = "$address" ]; do
            [ "$SECONDS" -lt "$end" ] || fail "nginx passes nothing to $address" "its share" "make logs S=nginx; then make $command"
        done
    done
    say "nginx passes requests to the new ones"
}

answering() { # answering SERVICE: the address that nginx has just had an answer from
    local worker=$1
    [ "$worker" = web ] || worker=sockets
    docker exec "$nginx" curl --noproxy '*' --silent --max-time 2 --output /dev/null --dump-header - "http://127.0.0.1:8081/worker/$worker" |
        tr -d '\r' | awk 'tolower($1) == "x-worker:" { print $NF }' || true
}

retire() { # retire CONTAINER…: one at a time, each as slowly as its clients need
    local id name begun number=0
    for id; do
        number=$((number + 1))
        name=$(name_of "$id")
        say "$name drains ($number of $#)"
        begun=$SECONDS
        docker stop "$id" > /dev/null
        docker rm --volumes "$id" > /dev/null
        say "$name has left, in $((SECONDS - begun)) s"
        # Until then nginx tries its address, where nobody refuses any more: proxy_connect_timeout for each client of
        # the next one.
        [ "$number" = $# ] || sleep "$FORGOTTEN_SECONDS"
    done
}

leftovers() { # what is not this command's, and what `docker compose up` would replace nevertheless
    local now wanted
    now=$(docker inspect --format '{{.Image}} {{index .Config.Labels "com.docker.compose.config-hash"}}' "$(of redis | head -n 1)" 2> /dev/null) || return 0
    wanted="$(image_id "$project-redis") $(docker compose config --hash redis | awk '{ print $2 }')"
    [ "$now" = "$wanted" ] || say "redis is left alone, and not as the present build and .env have it: make up replaces it"
}
