# shellcheck shell=bash
# The image that serves, and the one before it. Compose knows a service's image by one name, so the one
# before gets a name of its own; without, nothing would keep it.

running_image() { # running_image PROJECT: of the pages' container
    local id
    id=$(docker ps --quiet --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.service=web \
        --filter label=com.docker.compose.oneoff=False | tail -n 1) # the oldest
    [ -z "$id" ] || docker inspect --format '{{.Image}}' "$id"
}

image_id() { docker image inspect --format '{{.Id}}' "$1" 2> /dev/null; }

remember() { # remember PROJECT IMAGE: what ran, unless the same build runs again
    if [ -n "$2" ] && [ "$2" != "$(image_id "$1-web")" ]; then docker tag "$2" "$1-web:previous"; fi
}
