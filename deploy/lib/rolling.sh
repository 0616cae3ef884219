# shellcheck shell=bash
# Replaces `web` and the WebSocket service, one container after another, by the image that has their name now.
# Sourced by deploy.sh, rollback.sh and up.sh, which call begin, give the name to another image, and call roll.
#
# A new container is hidden from nginx until it is healthy. The engine's name server returns an address as soon
# as its container runs, and nginx would send all new sockets to the container without any.

# shellcheck source=deploy/lib/images.sh
. deploy/lib/images.sh
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh
# shellcheck source=deploy/lib/unwell.sh
. deploy/lib/unwell.sh
# shellcheck source=deploy/lib/wanted.sh
. deploy/lib/wanted.sh

HEALTHY_SECONDS=${HEALTHY_SECONDS:-120} # until new containers must be healthy, whatever compose.yaml's check says
SEEN_SECONDS=20 # until nginx must have passed a request to each new container
READY_SECONDS=20 # until each container must be ready at the end
ENGINE_SECONDS=30 # until an engine that was just restarted must answer

FORGOTTEN_SECONDS=2 # nginx resolves names once a second (nginx/templates/environment.conf.template)

# While old and new containers serve side by side: the wanted number of each service, and the command at work.
REPLACING=.state/replacing

command='' project='' stage=''
before='' named='' before_nginx='' before_redis='' # images: the one that serves, and those that have the names
halfway='' # the command that was interrupted while it replaced containers
sockets='' # the service that has the WebSockets
serving='' # containers that ran at the start
present_web='' present_sockets='' # all containers at the start
old_web='' old_sockets='' new='' nginx='' # container ids
renewed_nginx='' renewed_redis='' vanished=''

say() { printf '%s: %3d s  %s\n' "$command" "$SECONDS" "$*"; }
fail() { refuse "$command" "$@"; } # fail FOUND EXPECTED FIX

of() { containers_of "$project" "$@"; } # of SERVICE [DOCKER-PS-OPTION…]: ids of its containers
name_of() { docker inspect --format '{{slice .Name 1}}' "$1"; }
service_of() { docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}}' "$1"; }
networks_of() { docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' "$1"; }
runs() { [ "$(docker inspect --format '{{.State.Running}}' "$1" 2> /dev/null)" = true ]; }

# ── Beginning and end ──────────────────────────────────────────────────────────────────────────

begin() { # begin COMMAND
    command=$1
    lock "$command"
    bash deploy/engine.sh
    own "$command"
    project=$(project_name .)
    sockets=$(bash deploy/websockets.sh 2> /dev/null) || true # .env is wrong; prepare.sh reports that better
    before=$(served_image "$project")
    named=$(running_image "$project")
    [ -n "$named" ] || named=$(image_id "$project-web") || true
    before_redis=$(image_id "$project-redis") || true
    nginx=$(of nginx --filter status=running)
    if [ -n "$nginx" ]; then before_nginx=$(docker inspect --format '{{.Image}}' "$nginx"); else before_nginx=$(image_id "$project-nginx") || true; fi
    serving="$(of web --filter status=running) $(of "${sockets:-daphne}" --filter status=running)"
    present_web=$(of web --all) present_sockets=$(of "${sockets:-daphne}" --all)
    if [ -s "$REPLACING" ]; then
        read -r _ _ halfway < "$REPLACING"
        # `up` rebuilds a missing image.
        named=$(image_id "$project-web") || [ "$command" = up ] || fail "no image $project-web" "the one that was begun with" "make up"
    fi
    know_settings "$project"
    [ -z "$moved" ] || settings_before='' # these name files of a folder that is gone
    stage=preparing
    trap leave EXIT
    # Without these traps, bash exits with success when the terminal is lost.
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 141' PIPE
    trap 'exit 143' TERM
}

whole() { # does a complete stack run, so that new containers can start beside it?
    [ -n "$sockets" ] && [ -n "$nginx" ] && [ -n "$(of web --filter status=running)" ] && [ -n "$(of "$sockets" --filter status=running)" ]
}

# If the WebSocket service is unknown, .env is wrong; prepare.sh reports that better.
demand_whole() { [ -z "$sockets" ] || whole || fail "no running web, $sockets and nginx of project $project" "a running stack" "make up"; }

leave() { # on exit, whatever the reason
    local status=$?
    trap '' HUP INT PIPE TERM
    set +e
    if [ "$status" != 0 ]; then
        case $stage in
        preparing) restore_names || say "the engine has not taken the images' names back: docker compose up would start what has failed here" >&2 ;;
        starting) undo ;;
        replacing) tell_halfway ;;
        in_place) take_back ;;
        esac
    fi
    unlock
    exit "$status"
}

# Otherwise the next `docker compose up` would start the build that failed here.
restore_names() {
    local status=0
    [ -z "$named" ] || docker tag "$named" "$project-web" || status=1
    [ -z "$before_nginx" ] || docker tag "$before_nginx" "$project-nginx" || status=1
    [ -z "$before_redis" ] || docker tag "$before_redis" "$project-redis" || status=1
    return "$status"
}

engine_answers() {
    local end=$((SECONDS + ENGINE_SECONDS))
    until docker info > /dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return
        sleep 1
    done
}

undo() { # before any old container was stopped: the new ones have no clients, or are drained
    local id wrong=''
    say "taking back: the new containers leave" >&2
    if ! engine_answers; then
        say "the engine does not answer: nothing was taken back, and new containers may be left beside the old. When it answers: make up" >&2
        return
    fi
    find_new
    # shellcheck disable=SC2086  # one argument each
    [ -z "$new" ] || { docker stop $new; docker rm --force --volumes $new; } > /dev/null 2>&1
    find_new
    [ -z "$new" ] || wrong="$wrong new containers are left: docker rm --force $(echo "$new" | cut -c 1-12 | tr '\n' ' ');"
    restore_names || wrong="$wrong the images' names are still the new build's;"
    put_back "$wrong"
    if removed; then # `migrate` may have been created after the removal
        # shellcheck disable=SC2046  # one argument each
        docker rm --force $(of migrate --all) > /dev/null 2>&1
        say "the containers of before were removed meanwhile: nothing serves. make up starts the stack" >&2
    fi
}

removed() { # did something else remove the serving containers?
    local id
    for id in $serving; do docker inspect "$id" > /dev/null 2>&1 || return 0; done
    return 1
}

# Checks `removed` before each Compose command: that would create networks and containers of a stack that is gone.
put_back() { # put_back WHAT-IS-WRONG
    local id wrong=$1
    ! removed || return
    for id in $serving; do
        runs "$id" || docker start "$id" > /dev/null 2>&1 || true # the engine may have been restarted
        runs "$id" || wrong="$wrong $(name_of "$id" 2> /dev/null) does not run;"
    done
    ! removed || return
    [ -z "$renewed_redis" ] || take_redis_back || wrong="$wrong Redis is not healthy;"
    ! removed || return
    # Only publish the previous build's nginx configuration: its whole `migrate` may refuse the new migrations.
    as_before run --rm --no-deps -T migrate flock --timeout 60 data/migrate.lock python services/migrate/publish.py > /dev/null 2>&1 ||
        wrong="$wrong nginx's configuration of before could not be published;"
    ! removed || return
    take_nginx_back || wrong="$wrong nginx does not load the configuration of before;"
    docker exec "$(of nginx)" curl --noproxy '*' --fail --silent --max-time 5 --output /dev/null http://127.0.0.1:8081/ready 2> /dev/null ||
        wrong="$wrong no page of the build before is ready;"
    ! removed || return
    look_at_migrations
    ! removed || return
    if [ -n "$wrong" ]; then
        say "the build before is not all back:$wrong make doctor says more" >&2
    elif [ -n "$renewed_nginx$renewed_redis" ]; then
        say "the build before serves; ${renewed_nginx:+nginx was replaced, and clients resume; }${renewed_redis:+Redis was restarted; }nothing else was changed for them" >&2
    else
        say "the build before serves: nothing was changed for clients" >&2
    fi
}

take_nginx_back() { # Compose leaves a healthy nginx alone
    [ -z "$renewed_nginx" ] || as_before up --detach --wait --no-deps --no-build nginx > /dev/null 2>&1 || return
    docker exec "$(of nginx)" nginx-reload.sh > /dev/null
}

take_redis_back() { as_before up --detach --wait --no-deps --no-build redis > /dev/null 2>&1; }

look_at_migrations() { # the previous build serves; could it start again?
    local said
    as_before up --detach --no-deps --force-recreate --no-build migrate > /dev/null 2>&1
    said=$(of migrate --all)
    [ -n "$said" ] && [ "$(docker wait "$said")" = 0 ] && return
    said=$(docker logs "$said" 2>&1)
    case $said in
    *app.E003*) say "the build before refuses the migrations of this one, as soon as it starts again: make $command   of a build that knows them" >&2 ;;
    *) say "migrate of the build before ends with an error, which keeps it from starting again: $(reason <<< "$said")" >&2 ;;
    esac
}

tell_halfway() {
    if ! engine_answers; then
        say "broken off, and the engine does not answer. When it does: make $command again ends it, make rollback goes back" >&2
    elif [ -n "$vanished" ]; then # the remaining containers may be about to stop
        say "broken off: something else removes containers of this stack. When it has ended: make up" >&2
    elif nginx=$(of nginx --filter status=running) && whole; then
        say "broken off: old and new containers serve side by side; make $command again ends it, make rollback goes back" >&2
    else
        say "broken off, and the stack does not run any more: make up starts this build" >&2
    fi
}

# Compose has stopped the previous containers: start them again.
take_back() {
    local what="the build${settings_before:+ and the settings} of before" misnamed=''
    if ! engine_answers; then
        say "the engine does not answer: nothing was taken back. When it answers: make up" >&2
        return
    fi
    restore_names || misnamed=yes
    if [ -z "${serving// /}" ]; then
        say "nothing served before, so there is nothing to take back" >&2
    elif [ -z "$misnamed" ] && as_before up --detach --wait --no-build --remove-orphans > /dev/null 2>&1; then
        docker exec "$(of nginx)" nginx-reload.sh > /dev/null 2>&1
        say "taken back: clients resume on $what" >&2
    else
        say "tried to take back $what, without a healthy stack: make doctor" >&2
    fi
}

# A container stays healthy after it was ready once. Clients need it to be ready now.
demand_readiness() {
    local id said end=$((SECONDS + READY_SECONDS))
    for id in $(of web --filter status=running) $(of "$sockets" --filter status=running); do
        until said=$(docker exec "$id" python -I services/web/healthcheck.py --ready 2>&1); do
            [ "$SECONDS" -lt "$end" ] ||
                fail "$(name_of "$id"): $said: $(docker logs --since 1m "$id" 2>&1 | sed -n 's/.*"message": "\(not ready: [^"]*\)".*/\1/p' | tail -n 1)" \
                    "200 from /health/ready of every web and $sockets" "make doctor"
            sleep 1
        done
    done
}

look_again() { # the stack may have changed during the build
    sockets=$(bash deploy/websockets.sh)
    nginx=$(of nginx --filter status=running)
}

# ── Steps ──────────────────────────────────────────────────────────────────────────────────────

roll() { # replaces all web and WebSocket containers, changed or not
    local web number
    look_again
    whole || fail "no running web, $sockets and nginx of project $project any more" "a running stack" "make up"
    present_web=$(of web --all) old_web=$present_web
    present_sockets=$(of "$sockets" --all) old_sockets=$present_sockets
    web=$(count web 1)
    number=$(count "$sockets" "$(asked_for "$sockets")")
    # An interrupted run has left more containers than wanted; it recorded the wanted numbers.
    [ ! -s "$REPLACING" ] || read -r web number _ < "$REPLACING"
    enough_memory || fail "$free MiB of memory free" \
        "$used MiB, which web and $sockets use now: for a minute there are twice as many" "free some; or make scale N=<fewer>"
    replace "$web" "$number"
    say "every web and $sockets container is new: $(of "$sockets" | wc -l) $sockets, $(of web | wc -l) web"
    stage=
    renew_others
    leftovers
}

change() { # change [COMPOSE-OPTION…]: replaces outdated containers; in a running stack, new ones start beside the old
    local web=0 number=0
    look_again
    learn_hashes
    if [ $# != 0 ] || ! whole || grown; then
        in_place "$@"
        return
    fi
    present_web=$(of web --all) old_web=$(unwanted web)
    present_sockets=$(of "$sockets" --all) old_sockets=$(unwanted "$sockets")
    [ -z "$old_web" ] || [ -n "$(kept "$present_web" "$old_web")" ] || web=1
    [ -z "$old_sockets" ] ||
        number=$(($(asked_for "$sockets") - $(kept "$present_sockets" "$old_sockets" | wc -w)))
    if [ -z "$old_web$old_sockets" ]; then
        stage=starting
        settled "$project" migrate || migrate_loudly
        renew_redis
        renew_nginx
    elif enough_memory; then
        replace "$web" "$((number > 0 ? number : 0))"
        say "replaced: $(wc -w <<< "$old_sockets") $sockets, $(wc -w <<< "$old_web") web"
    else
        say "$free MiB of memory free, and $used MiB in use: the old containers leave before the new ones come"
        in_place
        return
    fi
    stage=
    compose_up
}

in_place() { # in_place [COMPOSE-OPTION…]: lets Compose replace the containers
    if [ -n "$(of web --filter status=running)" ]; then # migrate first: if that fails, the old containers still serve
        stage=starting
        if grown && migrate_needs_more; then
            # `migrate` needs an overlay's service, which may be new. Do not recreate existing containers.
            # shellcheck disable=SC2046  # one argument each
            docker rm --force $(of migrate --all) > /dev/null 2>&1 || true
            migrate_loudly --no-recreate
        else
            migrate_loudly
        fi
    fi
    remember "$project" "$before" # for a rollback
    stage=in_place
    compose_up "$@"
}

grown() { # is there a service without a running or successfully ended container? Others may need it
    local service none
    none=$(unscaled)
    while read -r service; do
        case $service in migrate | redis) continue ;; esac
        [ -z "$(of "$service" --filter status=running)$(of "$service" --all --filter exited=0)" ] || continue
        grep -qxF "$service" <<< "$none" || return 0
    done < <(docker compose config --services)
    return 1
}

others() { # services of overlays that run the application's image, such as `worker`
    docker ps --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.oneoff=False \
        --format '{{.ID}} {{.Label "com.docker.compose.service"}}' | while read -r id service; do
        case $service in migrate | web | "$sockets" | nginx | redis) continue ;; esac
        [ "$(docker inspect --format '{{.Config.Image}}' "$id")" != "$project-web" ] || echo "$service"
    done | sort -u
}

renew_others() { # stops the old container before it starts the new one: two at once would run some jobs twice
    local service output
    for service in $(others); do
        say "$service is replaced, when it has ended what it is at"
        output=$(docker compose --progress quiet up --detach --force-recreate --no-deps --no-build --wait "$service" 2>&1) ||
            fail "a $service that does not get healthy: $output" "a healthy one; every web and $sockets is new" \
                "make logs S=$service; then make $command"
    done
}

migrate_needs_more() { # does `migrate` depend on services other than Redis?
    docker compose config migrate | awk '
        /^[^ ]/ { top = $1 }
        top == "services:" && /^  [^ ]/ && $1 != "migrate:" && $1 != "redis:" { more = 1 }
        END { exit !more }'
}

unscaled() { # services with 0 containers in the configuration
    docker compose config | tr -d '"' | awk '
        /^[^ ]/ { top = $1 }
        /^  [^ ]/ { service = $1; sub(/:$/, "", service) }
        /^    [^ ]/ { key = $1 }
        top == "services:" && (/^    scale: 0$/ || (key == "deploy:" && /^      replicas: 0$/)) { print service }'
}

kept() { grep -vxF "${2:-none}" <<< "$1" || true; } # kept PRESENT OLD

compose_up() { # compose_up [COMPOSE-OPTION…]
    docker compose up --detach --wait --remove-orphans "$@" && return
    docker compose ps --all >&2
    # shellcheck disable=SC2046  # one argument each
    say_why "$command" $(unwell "$project")
    fail "services that are not healthy, above" "every service healthy" "what their logs name; then make $command"
}

unwanted() { # unwanted SERVICE: containers that are outdated, do not run, or are hidden from nginx
    local id
    for id in $(of "$1" --all); do
        if ! runs "$id" || ! as_wanted "$id" "$1" || ! visible "$id"; then echo "$id"; fi
    done
}

migrate_loudly() { # migrate_loudly [COMPOSE-OPTION…]
    say "migrations, and nginx's configuration"
    migrate "$@" || fail "migrate ended with an error, above" "0" "what it names; then make $command"
}

replace() { # replace WEB SOCKETS: starts this many new containers and retires the old ones
    stage=starting
    migrate_loudly
    renew_redis

    say "starting $2 $sockets and $1 web beside the old"
    create "$1" "$2"
    hide
    # shellcheck disable=SC2086  # one argument each
    [ -z "$new" ] || docker start $new > /dev/null
    wait_until_healthy
    # A new nginx becomes healthy when a page is ready. If Redis has a new password, only the new containers are ready,
    # so show them first. An older build's nginx may not report which container it passes a request to.
    if as_wanted "$nginx" nginx; then
        renew_nginx
        show
    else
        show
        renew_nginx
    fi
    seen
    stage=replacing
    echo "$(($1 + $(kept "$present_web" "$old_web" | wc -w))) $(($2 + $(kept "$present_sockets" "$old_sockets" | wc -w))) $command" > "$REPLACING"
    remember "$project" "$before" "${halfway:+$named}"
    # shellcheck disable=SC2086  # one argument each
    retire $old_sockets
    # shellcheck disable=SC2086
    retire $old_web
    rm "$REPLACING"
}

count() { # count SERVICE LEAST: the number that serves now, at least LEAST; a killed run may have left hidden ones
    local id serving=0
    for id in $(of "$1" --filter status=running); do
        if visible "$id"; then serving=$((serving + 1)); fi
    done
    echo $((serving > $2 ? serving : $2))
}

visible() { # visible CONTAINER: does its service's name resolve to it on one of nginx's networks?
    local network service
    service=$(service_of "$1")
    for network in $(shared "$1"); do
        [[ " $(aliases "$1" "$network") " != *" $service "* ]] || return 0
    done
    return 1
}
shared() { # shared CONTAINER: the networks that it shares with nginx
    comm -12 <(networks_of "$1" | tr ' ' '\n' | sed '/^$/d' | sort) <(networks_of "$nginx" | tr ' ' '\n' | sed '/^$/d' | sort)
}
aliases() { # aliases CONTAINER NETWORK
    docker inspect --format "{{with index .NetworkSettings.Networks \"$2\"}}{{range .Aliases}}{{.}} {{end}}{{end}}" "$1"
}

# For a minute there are twice as many containers. Reads the numbers in containers, so they are the engine's machine's.
used=0 free=0
enough_memory() {
    local id
    used=0
    for id in $(of web --filter status=running) $(of "$sockets" --filter status=running); do
        used=$((used + $(docker exec "$id" sh -c 'cat /sys/fs/cgroup/memory.current || cat /sys/fs/cgroup/memory/memory.usage_in_bytes' 2> /dev/null || echo 0)))
    done
    free=$(docker exec "$nginx" awk '$1 == "MemAvailable:" { printf "%d", $2 * 1024 }' /proc/meminfo)
    [ "${free:-$used}" -ge "$used" ] || { used=$((used / 1048576)) free=$((free / 1048576)); return 1; }
}

migrate() { # migrate [COMPOSE-OPTION…]: runs `migrate`; without options alone and in a new container
    local id status said
    [ $# != 0 ] || set -- --no-deps --force-recreate
    said=$(docker compose up --detach "$@" --no-build migrate 2>&1) || { echo "$said" >&2; return 1; }
    id=$(of migrate --all)
    status=$(docker wait "$id")
    if [ "$status" = 0 ]; then
        docker logs "$id" 2>&1 | sed -n "s/^ *Applying \(.*\)\.\.\. *OK.*/$command:        applied \1/p"
    else
        docker logs "$id" 2>&1 | excerpt >&2
    fi
    return "$status"
}

create() { # create WEB SOCKETS
    local output
    output=$(docker compose up --no-start --no-deps --no-recreate --no-build --scale "web=$(($(wc -w <<< "$present_web") + $1))" \
        --scale "$sockets=$(($(wc -w <<< "$present_sockets") + $2))" web "$sockets" 2>&1) || echo "$output" >&2
    find_new
    [ "$(wc -w <<< "$new")" -eq $(($1 + $2)) ] ||
        fail "$(wc -w <<< "$new") new containers" "$(($1 + $2))" "make doctor; then make $command"
}

find_new() {
    new=$({ of web --all && of "$sockets" --all; } | grep -vxF "$present_web
$present_sockets") || true # none
}

reattach() { # reattach CONTAINER NETWORK ALIAS…
    local -a options=()
    local alias
    for alias in "${@:3}"; do options+=(--alias "$alias"); done
    docker network disconnect "$2" "$1"
    docker network connect "${options[@]}" "$2" "$1"
}

hide() { # the new containers keep their networks, but lose the name that nginx resolves
    local id network
    for id in $new; do
        for network in $(shared "$id"); do reattach "$id" "$network" "$(name_of "$id")"; done
        docker update --restart no "$id" > /dev/null # otherwise a restart of the engine would start it again
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
    say_why "$command" "$1"
    fail "$(name_of "$1") is $2" "a healthy container" "what its log names; then make $command"
}

# Replaces nginx only if Compose would: for another image or other settings. Otherwise reloads it.
renew_nginx() {
    local said
    learn_hashes
    if as_wanted "$nginx" nginx; then
        said=$(docker exec "$nginx" nginx-reload.sh) ||
            fail "an nginx that does not load the configuration of this build, above" "it loaded" "make logs S=nginx; then make $command"
        say "nginx: $said"
    else
        say "nginx: another base image or other settings: it is replaced itself, and every client resumes"
        renewed_nginx=yes
        docker compose up --detach --no-deps --no-build --wait nginx > /dev/null 2>&1 || {
            # shellcheck disable=SC2046  # one argument each
            say_why "$command" $(of nginx --all)
            fail "an nginx that does not get healthy" "a healthy one" "what its log names; then make up"
        }
        nginx=$(of nginx --filter status=running)
        before_nginx=''
    fi
}

# `make up` replaces Redis if Compose would. Other commands do so only for a new password, since new containers could
# not log in otherwise.
renew_redis() {
    local id output
    id=$(of redis --filter status=running)
    learn_hashes
    if [ -n "$id" ] && as_wanted "$id" redis; then return; fi
    if [ -n "$id" ] && [ "$command" != up ] && [ "$(password_of "$id")" = "$(cat .state/redis_password.env)" ]; then return; fi
    if [ -n "$id" ]; then
        say "redis: another image, other settings or another password: it is replaced; rooms wait until it answers"
    else
        say "redis does not run: it is started"
    fi
    renewed_redis=yes
    output=$(docker compose --progress quiet up --detach --no-deps --no-build --wait redis 2>&1) || {
        # shellcheck disable=SC2046  # one argument each
        say_why "$command" $(of redis --all)
        fail "a Redis that does not get healthy: $output" "a healthy one" "what its log names; then make $command"
    }
    before_redis=''
}

password_of() { # password_of CONTAINER: the digest of the password it was created with, as in .state/redis_password.env
    docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$1" | grep '^REDIS_PASSWORD_DIGEST=' ||
        cat .state/redis_password.env # created before digests existed: assume the present one
}

show() { # the new containers get the name that nginx resolves
    local id network
    for id in $new; do
        for network in $(shared "$id"); do reattach "$id" "$network" "$(service_of "$id")" "$(name_of "$id")"; done
        docker update --restart unless-stopped "$id" > /dev/null
    done
}

seen() { # waits until nginx has passed a request to each new container
    local id network service addresses waiting='' end=$((SECONDS + SEEN_SECONDS))
    for id in $new; do
        service=$(service_of "$id")
        for network in $(shared "$id"); do # by IPv4 or IPv6: a network may have both or only one
            addresses=$(docker inspect --format \
                "{{with index .NetworkSettings.Networks \"$network\"}}{{.IPAddress}}:8000,[{{.GlobalIPv6Address}}]:8000{{end}}" "$id")
            waiting="$waiting $service/$addresses"
        done
    done
    for addresses in $waiting; do
        service=${addresses%%/*} addresses=${addresses#*/}
        until [[ ,$addresses, == *,"$(answering "$service")",* ]]; do
            [ "$SECONDS" -lt "$end" ] ||
                fail "nginx passes nothing to $service at $addresses" "its share" "make logs S=nginx; then make $command"
        done
    done
    say "nginx passes requests to the new ones"
}

answering() { # answering SERVICE: asks through nginx and prints the address that has answered
    local worker=$1
    [ "$worker" = web ] || worker=sockets
    docker exec "$nginx" curl --noproxy '*' --silent --max-time 2 --output /dev/null --dump-header - "http://127.0.0.1:8081/worker/$worker" |
        tr -d '\r' | awk 'tolower($1) == "x-worker:" { print $NF }' || true
}

retire() { # retire CONTAINER…: drains and removes them one at a time; `make up` does all at once, to be fast
    local id name begun number=0
    if [ "$command" = up ] && [ $# != 0 ]; then
        say "$# container(s) drain"
        leaves "$@"
        return
    fi
    for id; do
        number=$((number + 1))
        name=$(name_of "$id") || leaves "$id"
        say "$name drains ($number of $#)"
        begun=$SECONDS
        leaves "$id"
        say "$name has left, in $((SECONDS - begun)) s"
        # Until then nginx still tries its address, where nothing refuses the connection any more. Each client of the
        # next container would wait for proxy_connect_timeout.
        [ "$number" = $# ] || sleep "$FORGOTTEN_SECONDS"
    done
}

leaves() { # leaves CONTAINER…
    local id
    { docker stop "$@" && docker rm --volumes "$@"; } > /dev/null && return
    ! engine_answers || for id; do docker inspect "$id" > /dev/null 2>&1 || vanished=yes; done
    exit 1
}

leftovers() { # reports what this command leaves alone, but `docker compose up` would replace
    local id
    id=$(of redis | head -n 1)
    [ -z "$id" ] || as_wanted "$id" redis ||
        say "redis is left alone, and not as the present build and .env have it: make up replaces it"
}
