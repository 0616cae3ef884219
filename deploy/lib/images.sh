# shellcheck shell=bash
# The current image and the previous one. Compose has one name per service's image, so the previous image gets
# its own name. Without a name, the engine could remove it.

running_image() { # running_image PROJECT [DOCKER-PS-OPTION…]: the image of the oldest web container
    local id
    id=$(docker ps --quiet --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.service=web \
        --filter label=com.docker.compose.oneoff=False "${@:2}" | tail -n 1) # the oldest
    [ -z "$id" ] || docker inspect --format '{{.Image}}' "$id"
}

# The image to go back to: only one that is healthy; if nothing runs, the last one built.
served_image() { # served_image PROJECT
    if [ -n "$(running_image "$1")" ]; then running_image "$1" --filter health=healthy; else image_id "$1-web" || true; fi
}

image_id() { docker image inspect --format '{{.Id}}' "$1" 2> /dev/null; }

remember() { # remember PROJECT IMAGE…: tags the first that is not the current image as the previous one
    local image now
    now=$(image_id "$1-web") || now=
    for image in "${@:2}"; do
        if [ -n "$image" ] && [ "$image" != "$now" ]; then
            docker tag "$image" "$1-web:previous"
            return
        fi
    done
}
