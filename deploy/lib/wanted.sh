# shellcheck shell=bash
# Whether a container is as Compose would start it now. Sourced, after lib/images.sh, by what replaces containers.

hashes='' # of every service, as `docker compose config --hash` gives them
learn_hashes() { hashes=$(docker compose config --hash '*'); }

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
