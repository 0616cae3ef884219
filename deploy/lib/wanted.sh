# shellcheck shell=bash
# Whether a container is as Compose would start it now. Sourced, after lib/images.sh, by what replaces containers.

hashes='' # of every service, as `docker compose config --hash` gives them
# Not of `config` itself, which knows nothing of env_file.
learn_hashes() { hashes=$(docker compose config | docker compose --file - config --hash '*'); }

containers_of() { # containers_of PROJECT SERVICE [DOCKER-PS-OPTION…]: their ids
    docker ps --no-trunc --quiet --filter "label=com.docker.compose.project=$1" \
        --filter "label=com.docker.compose.service=$2" --filter label=com.docker.compose.oneoff=False "${@:3}"
}

as_wanted() { # as_wanted CONTAINER SERVICE: its image and its settings
    local image name hash
    { read -r image name && read -r hash; } < <(docker inspect \
        --format '{{.Image}} {{.Config.Image}}{{"\n"}}{{index .Config.Labels "com.docker.compose.config-hash"}}' "$1" 2> /dev/null) || return
    [ "$image" = "$(image_id "$name")" ] && grep -qxF "$2 $hash" <<< "$hashes"
}

settled() { # settled PROJECT SERVICE: it has containers, which run and are healthy, or have done their work; all as wanted
    local id found=1 state
    for id in $(containers_of "$1" "$2" --all); do
        state=$(docker inspect --format '{{.State.Status}} {{.State.ExitCode}}{{with .State.Health}} {{.Status}}{{end}}' "$id" 2> /dev/null) || return
        case $state in 'running 0' | 'running 0 healthy' | 'exited 0') ;; *) return 1 ;; esac
        as_wanted "$id" "$2" || return
        found=0
    done
    return "$found"
}

asked_for() { # asked_for SERVICE: as many containers as Compose would start, whatever says so
    docker compose config "$1" | tr -d '"' | awk -v service="$1:" '
        /^[^ ]/ { top = $1 }
        /^  [^ ]/ { name = $1 }
        /^    [^ ]/ { key = $1 }
        top == "services:" && name == service && (/^    scale: / || (key == "deploy:" && /^      replicas: /)) { number = $2 }
        END { print number == "" ? 1 : number }'
}

mounted() { # mounted SERVICE PLACE: the volume, as the engine calls it, or the folder that Compose mounts there
    docker compose config 2> /dev/null | tr -d '"' | awk -v service="$1:" -v place="$2" '
        /^[^ ]/ { top = $1 }
        /^  [^ ]/ { name = $1 }
        top == "services:" && name == service && /^      - type: / { type = $3; source = "" }
        top == "services:" && name == service && /^        source: / { source = substr($0, 17) }
        top == "services:" && name == service && /^        target: / && substr($0, 17) == place { found = source; kind = type }
        top == "volumes:" && /^    name: / { names[name] = substr($0, 11) }
        END { print kind == "volume" ? names[found ":"] : found }'
}

with_other_secrets() { # with_other_secrets PROJECT: names of running containers that have read other secrets than there are now
    local id name read_by_it
    while read -r id name; do
        read_by_it=$(docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$id" | grep -E '^(SECRET_KEY|REDIS_PASSWORD)_DIGEST=') || continue
        if grep -qvxFf <(cat .state/secret_key.env .state/redis_password.env) <<< "$read_by_it"; then echo "$name"; fi
    done < <(docker ps --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.oneoff=False --format '{{.ID}} {{.Names}}')
}

# What Compose had made of its files and of .env when the stack was last as it should be: with it a container of before
# can be had back, whatever .env says by now.
SETTLED=.state/settled.yaml
settings_before='' # that file, where it is what runs

settle() { # after a command that has left the stack as it should be
    local mode
    mode=$(umask)
    umask 077
    # What is unset here would be looked up again, by then in another .env.
    if docker compose config 2> /dev/null | sed '/^    environment:$/,/^    [^ ]/{/^      [^ ]*: null$/d;}' > "$SETTLED.$$"; then
        mv "$SETTLED.$$" "$SETTLED"
    else
        rm -f "$SETTLED.$$"
    fi
    umask "$mode"
}

know_settings() { # know_settings PROJECT: `docker compose up -d` may have started something else since
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
as_before() { # as_before COMPOSE-ARGUMENT…: with the settings of before
    if [ -z "$settings_before" ]; then
        docker compose "$@"
    else
        # shellcheck disable=SC2154  # the caller's
        docker compose --project-name "$project" --project-directory . --env-file /dev/null --file "$SETTLED" "$@"
    fi
}
