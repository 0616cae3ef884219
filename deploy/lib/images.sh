# shellcheck shell=bash
# The image that serves, and the one before it. Compose knows a service's image by one name, so the one
# before gets a name of its own; without, nothing would keep it.

running_image() { # running_image PROJECT [DOCKER-PS-OPTION…]: of the pages' container
    local id
    id=$(docker ps --quiet --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.service=web \
        --filter label=com.docker.compose.oneoff=False "${@:2}" | tail -n 1) # the oldest
    [ -z "$id" ] || docker inspect --format '{{.Image}}' "$id"
}

# One that has never been well is no way back; where nothing runs, the last one built is.
served_image() { # served_image PROJECT
    if [ -n "$(running_image "$1")" ]; then running_image "$1" --filter health=healthy; else image_id "$1-web" || true; fi
}

image_id() { docker image inspect --format '{{.Id}}' "$1" 2> /dev/null; }

remember() { # remember PROJECT IMAGE…: the first that is not what the name stands for now
    local image now
    now=$(image_id "$1-web") || now=
    for image in "${@:2}"; do
        if [ -n "$image" ] && [ "$image" != "$now" ]; then
            docker tag "$image" "$1-web:previous"
            return
        fi
    done
}
