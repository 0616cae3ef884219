# shellcheck shell=bash
# Rolling replacement of `web` and of the service with the WebSockets by the image that their name stands for.
# Sourced by deploy.sh, rollback.sh and up.sh: begin, then whatever gives the name another image, then roll.
#
# A new container is kept out of nginx's sight until it is healthy: the engine's name server gives an address
# as soon as its container runs, and one without sockets gets all the next ones.

# shellcheck source=deploy/lib/images.sh
. deploy/lib/images.sh
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh
# shellcheck source=deploy/lib/unwell.sh
. deploy/lib/unwell.sh
# shellcheck source=deploy/lib/wanted.sh
. deploy/lib/wanted.sh

HEALTHY_SECONDS=${HEALTHY_SECONDS:-120} # for new containers, whatever compose.yaml's health check says meanwhile
SEEN_SECONDS=20 # for nginx to pass something to each of them
READY_SECONDS=20 # for each to be ready at the end
ENGINE_SECONDS=30 # for an engine that has just been restarted

FORGOTTEN_SECONDS=2 # nginx asks for names once a second (nginx/templates/environment.conf.template)

# While old and new serve side by side: how many of each there should be, and the command that was at it.
REPLACING=.state/replacing

command='' project='' stage=''
before='' named='' before_nginx='' before_redis='' # images: what serves, and what the names stand for
halfway='' # the command that was broken off while it replaced
sockets='' # the service that has the WebSockets
serving='' # containers that ran in the beginning
present_web='' present_sockets='' # all in the beginning
old_web='' old_sockets='' new='' nginx='' # containers' ids
renewed_nginx='' renewed_redis='' vanished=''

say() { printf '%s: %3d s  %s\n' "$command" "$SECONDS" "$*"; }
fail() { refuse "$command" "$@"; } # fail FOUND EXPECTED FIX

of() { containers_of "$project" "$@"; } # of SERVICE [DOCKER-PS-OPTION…]: its containers' ids
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
    sockets=$(bash deploy/websockets.sh 2> /dev/null) || true # .env is at fault, which prepare.sh says better
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
        # `up` builds it again.
        named=$(image_id "$project-web") || [ "$command" = up ] || fail "no image $project-web" "the one that was begun with" "make up"
    fi
    know_settings "$project"
    [ -z "$moved" ] || settings_before='' # they name files of a folder that is gone
    stage=preparing
    trap leave EXIT
    # Without a trap bash takes a lost terminal for success.
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 141' PIPE
    trap 'exit 143' TERM
}

whole() { # does a stack run that new containers can be put beside?
    [ -n "$sockets" ] && [ -n "$nginx" ] && [ -n "$(of web --filter status=running)" ] && [ -n "$(of "$sockets" --filter status=running)" ]
}

# Where the service with the WebSockets is not known, .env is at fault, which prepare.sh says better.
demand_whole() { [ -z "$sockets" ] || whole || fail "no running web, $sockets and nginx of project $project" "a running stack" "make up"; }

leave() { # however it ends
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

# Else the next `docker compose up` would start what has failed here.
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

undo() { # nothing has gone to a new container, or what has is drained
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
    if removed; then # `migrate` may have been made after that
        # shellcheck disable=SC2046  # one argument each
        docker rm --force $(of migrate --all) > /dev/null 2>&1
        say "the containers of before were removed meanwhile: nothing serves. make up starts the stack" >&2
    fi
}

removed() { # was what served taken down?
    local id
    for id in $serving; do docker inspect "$id" > /dev/null 2>&1 || return 0; done
    return 1
}

# Each command of Compose would make networks and containers of a stack that is gone.
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
    # nginx's configuration of the build before, and not by all of `migrate`: it may refuse the new migrations.
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

take_nginx_back() { # a healthy one stays, and Compose leaves it alone
    [ -z "$renewed_nginx" ] || as_before up --detach --wait --no-deps --no-build nginx > /dev/null 2>&1 || return
    docker exec "$(of nginx)" nginx-reload.sh > /dev/null
}

take_redis_back() { as_before up --detach --wait --no-deps --no-build redis > /dev/null 2>&1; }

look_at_migrations() { # the build before serves; would it start again?
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
    elif [ -n "$vanished" ]; then # what still runs may be about to stop
        say "broken off: something else removes containers of this stack. When it has ended: make up" >&2
    elif nginx=$(of nginx --filter status=running) && whole; then
        say "broken off: old and new containers serve side by side; make $command again ends it, make rollback goes back" >&2
    else
        say "broken off, and the stack does not run any more: make up starts this build" >&2
    fi
}

# Compose has stopped the containers of before.
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

# Health is what was so once; clients need what is so now.
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

look_again() { # what was so in the beginning may be so no more after a build
    sockets=$(bash deploy/websockets.sh)
    nginx=$(of nginx --filter status=running)
}

# ── Steps ──────────────────────────────────────────────────────────────────────────────────────

roll() { # all of them, whether they have changed or not
    local web number
    look_again
    whole || fail "no running web, $sockets and nginx of project $project any more" "a running stack" "make up"
    present_web=$(of web --all) old_web=$present_web
    present_sockets=$(of "$sockets" --all) old_sockets=$present_sockets
    web=$(count web 1)
    number=$(count "$sockets" "$(asked_for "$sockets")")
    # A run that was broken off has left more than there should be.
    [ ! -s "$REPLACING" ] || read -r web number _ < "$REPLACING"
    enough_memory || fail "$free MiB of memory free" \
        "$used MiB, which web and $sockets use now: for a minute there are twice as many" "free some; or make scale N=<fewer>"
    replace "$web" "$number"
    say "every web and $sockets container is new: $(of "$sockets" | wc -l) $sockets, $(of web | wc -l) web"
    stage=
    renew_others
    leftovers
}

change() { # change [COMPOSE-OPTION…]: what is not as Compose would start it now; where a stack runs, beside the old
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

in_place() { # in_place [COMPOSE-OPTION…]: Compose replaces
    if [ -n "$(of web --filter status=running)" ]; then # no migration that fails stops what serves
        stage=starting
        if grown && migrate_needs_more; then
            # It needs an overlay's service, which may be new. What is there stays as it is.
            # shellcheck disable=SC2046  # one argument each
            docker rm --force $(of migrate --all) > /dev/null 2>&1 || true
            migrate_loudly --no-recreate
        else
            migrate_loudly
        fi
    fi
    remember "$project" "$before" # if what comes is no good, it is wanted
    stage=in_place
    compose_up "$@"
}

grown() { # is there a service that has no container yet, or none that runs or has done its work? Others may need it
    local service none
    none=$(unscaled)
    while read -r service; do
        case $service in migrate | redis) continue ;; esac
        [ -z "$(of "$service" --filter status=running)$(of "$service" --all --filter exited=0)" ] || continue
        grep -qxF "$service" <<< "$none" || return 0
    done < <(docker compose config --services)
    return 1
}

others() { # services of overlays that run the application's image, as `worker` does
    docker ps --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.oneoff=False \
        --format '{{.ID}} {{.Label "com.docker.compose.service"}}' | while read -r id service; do
        case $service in migrate | web | "$sockets" | nginx | redis) continue ;; esac
        [ "$(docker inspect --format '{{.Config.Image}}' "$id")" != "$project-web" ] || echo "$service"
    done | sort -u
}

renew_others() { # the old one leaves before the new one comes: two at once would do some jobs twice
    local service output
    for service in $(others); do
        say "$service is replaced, when it has ended what it is at"
        output=$(docker compose --progress quiet up --detach --force-recreate --no-deps --no-build --wait "$service" 2>&1) ||
            fail "a $service that does not get healthy: $output" "a healthy one; every web and $sockets is new" \
                "make logs S=$service; then make $command"
    done
}

migrate_needs_more() { # than Redis
    docker compose config migrate | awk '
        /^[^ ]/ { top = $1 }
        top == "services:" && /^  [^ ]/ && $1 != "migrate:" && $1 != "redis:" { more = 1 }
        END { exit !more }'
}

unscaled() { # services that should have no container
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

unwanted() { # unwanted SERVICE: what Compose would replace, what does not run, and what nginx cannot see
    local id
    for id in $(of "$1" --all); do
        if ! runs "$id" || ! as_wanted "$id" "$1" || ! visible "$id"; then echo "$id"; fi
    done
}

migrate_loudly() { # migrate_loudly [COMPOSE-OPTION…]
    say "migrations, and nginx's configuration"
    migrate "$@" || fail "migrate ended with an error, above" "0" "what it names; then make $command"
}

replace() { # replace WEB SOCKETS: so many new ones for the old
    stage=starting
    migrate_loudly
    renew_redis

    say "starting $2 $sockets and $1 web beside the old"
    create "$1" "$2"
    hide
    # shellcheck disable=SC2086  # one argument each
    [ -z "$new" ] || docker start $new > /dev/null
    wait_until_healthy
    # A new nginx gets healthy when a page is ready, and with another password in Redis only the new ones are. An older
    # build's nginx may not say which container it passes a request to.
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

migrate() { # migrate [COMPOSE-OPTION…]: by itself alone, unless the options say another way
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

hide() { # they keep their networks, and lose the name that nginx asks for
    local id network
    for id in $new; do
        for network in $(shared "$id"); do reattach "$id" "$network" "$(name_of "$id")"; done
        docker update --restart no "$id" > /dev/null # else it comes back with an engine that is restarted meanwhile
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

# Replaced only when Compose would do so: for another image, or other settings.
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

# `make up` replaces it as Compose would; others for another password alone, without which no new container could log in.
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

password_of() { # password_of CONTAINER: the digest of the password that it was made with, as .state/redis_password.env has it
    docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$1" | grep '^REDIS_PASSWORD_DIGEST=' ||
        cat .state/redis_password.env # made before digests were written: nothing is known
}

show() { # they get the name that nginx asks for
    local id network
    for id in $new; do
        for network in $(shared "$id"); do reattach "$id" "$network" "$(service_of "$id")" "$(name_of "$id")"; done
        docker update --restart unless-stopped "$id" > /dev/null
    done
}

seen() { # wait until nginx has passed something to each
    local id network service addresses waiting='' end=$((SECONDS + SEEN_SECONDS))
    for id in $new; do
        service=$(service_of "$id")
        for network in $(shared "$id"); do # by IPv4 or IPv6: a network may have both, or one alone
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

answering() { # answering SERVICE: the address that nginx has just had an answer from
    local worker=$1
    [ "$worker" = web ] || worker=sockets
    docker exec "$nginx" curl --noproxy '*' --silent --max-time 2 --output /dev/null --dump-header - "http://127.0.0.1:8081/worker/$worker" |
        tr -d '\r' | awk 'tolower($1) == "x-worker:" { print $NF }' || true
}

retire() { # retire CONTAINER…: one at a time, each as slowly as its clients need; `make up` has no patience for that
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
        # Until then nginx tries its address, where nobody refuses any more: proxy_connect_timeout for each client of
        # the next one.
        [ "$number" = $# ] || sleep "$FORGOTTEN_SECONDS"
    done
}

leaves() { # leaves CONTAINER…
    local id
    { docker stop "$@" && docker rm --volumes "$@"; } > /dev/null && return
    ! engine_answers || for id; do docker inspect "$id" > /dev/null 2>&1 || vanished=yes; done
    exit 1
}

leftovers() { # what is not this command's, and what `docker compose up` would replace nevertheless
    local id
    id=$(of redis | head -n 1)
    [ -z "$id" ] || as_wanted "$id" redis ||
        say "redis is left alone, and not as the present build and .env have it: make up replaces it"
}
