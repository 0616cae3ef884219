# shellcheck shell=bash
# Whether a container is as Compose would start it now. Scripts that replace containers source it after lib/images.sh.

hashes='' # of every service, as `docker compose config --hash` prints them
# From the output of `config`, since `config --hash` alone leaves out env_file.
learn_hashes() { hashes=$(docker compose config | docker compose --file - config --hash '*'); }

containers_of() { # containers_of PROJECT SERVICE [DOCKER-PS-OPTION…]: their ids
    docker ps --no-trunc --quiet --filter "label=com.docker.compose.project=$1" \
        --filter "label=com.docker.compose.service=$2" --filter label=com.docker.compose.oneoff=False "${@:3}"
}

as_wanted() { # as_wanted CONTAINER SERVICE: does it have the service's present image and settings?
    local image name hash
    { read -r image name && read -r hash; } < <(docker inspect \
        --format '{{.Image}} {{.Config.Image}}{{"\n"}}{{index .Config.Labels "com.docker.compose.config-hash"}}' "$1" 2> /dev/null) || return
    [ "$image" = "$(image_id "$name")" ] && grep -qxF "$2 $hash" <<< "$hashes"
}

settled() { # settled PROJECT SERVICE: does it have containers, all as wanted, and all healthy or successfully ended?
    local id found=1 state
    for id in $(containers_of "$1" "$2" --all); do
        state=$(docker inspect --format '{{.State.Status}} {{.State.ExitCode}}{{with .State.Health}} {{.Status}}{{end}}' "$id" 2> /dev/null) || return
        case $state in 'running 0' | 'running 0 healthy' | 'exited 0') ;; *) return 1 ;; esac
        as_wanted "$id" "$2" || return
        found=0
    done
    return "$found"
}

asked_for() { # asked_for SERVICE: the number of containers that Compose would start, whichever setting gives it
    docker compose config "$1" | tr -d '"' | awk -v service="$1:" '
        /^[^ ]/ { top = $1 }
        /^  [^ ]/ { name = $1 }
        /^    [^ ]/ { key = $1 }
        top == "services:" && name == service && (/^    scale: / || (key == "deploy:" && /^      replicas: /)) { number = $2 }
        END { print number == "" ? 1 : number }'
}

mounted() { # mounted SERVICE PLACE: the engine's name of the volume, or the folder, that Compose mounts there
    docker compose config 2> /dev/null | tr -d '"' | awk -v service="$1:" -v place="$2" '
        /^[^ ]/ { top = $1 }
        /^  [^ ]/ { name = $1 }
        top == "services:" && name == service && /^      - type: / { type = $3; source = "" }
        top == "services:" && name == service && /^        source: / { source = substr($0, 17) }
        top == "services:" && name == service && /^        target: / && substr($0, 17) == place { found = source; kind = type }
        top == "volumes:" && /^    name: / { names[name] = substr($0, 11) }
        END { print kind == "volume" ? names[found ":"] : found }'
}

with_other_secrets() { # with_other_secrets PROJECT: names of running containers that have read older secrets
    local id name read_by_it
    while read -r id name; do
        read_by_it=$(docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$id" | grep -E '^(SECRET_KEY|REDIS_PASSWORD)_DIGEST=') || continue
        if grep -qvxFf <(cat .state/secret_key.env .state/redis_password.env) <<< "$read_by_it"; then echo "$name"; fi
    done < <(docker ps --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.oneoff=False --format '{{.ID}} {{.Names}}')
}

# Compose's resolved configuration from the last time that a command ended successfully. With it, a previous container
# can be restored even if .env has changed.
SETTLED=.state/settled.yaml
settings_before='' # that file, if the running stack matches it

settle() { # called after a command has ended successfully
    local mode
    mode=$(umask)
    umask 077
    # Remove unset variables: Compose would look them up again later, possibly in a changed .env.
    if docker compose config 2> /dev/null | sed '/^    environment:$/,/^    [^ ]/{/^      [^ ]*: null$/d;}' > "$SETTLED.$$"; then
        mv "$SETTLED.$$" "$SETTLED"
    else
        rm -f "$SETTLED.$$"
    fi
    umask "$mode"
}

know_settings() { # know_settings PROJECT: checks the file, since `docker compose up -d` may have changed the stack
    local id service hashes
    settings_before=
    [ -s "$SETTLED" ] || return 0
    settings_before=$SETTLED
    hashes=$(project=$1 as_before config --hash '*' 2> /dev/null) || hashes=
    while read -r id service; do
        case $service in redis | web | daphne | uvicorn | nginx) ;; *) continue ;; esac
        grep -qxF "$service $(docker inspect --format '{{index .Config.Labels "com.docker.compose.config-hash"}}' "$id")" <<< "$hashes" ||
            settings_before=
    done < <(docker ps --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.oneoff=False \
        --format '{{.ID}} {{.Label "com.docker.compose.service"}}')
}

# shellcheck disable=SC2154  # `project` is the caller's
as_before() { # as_before COMPOSE-ARGUMENT…: runs Compose with the previous settings
    if [ -z "$settings_before" ]; then
        docker compose "$@"
    else
        # shellcheck disable=SC2154  # the caller's
        docker compose --project-name "$project" --project-directory . --env-file /dev/null --file "$SETTLED" "$@"
    fi
}
