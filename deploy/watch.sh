#!/usr/bin/env bash
# Starts the stack with this folder's sources in its containers, and applies changes until Ctrl-C.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

# The folders that services/Dockerfile copies into the image: app, MyChannels and your own apps.
read -ra folders <<< "$(sed -n '/AS source/,/^FROM .* AS files/s/^COPY \([^ .]*\) .*/\1/p' services/Dockerfile | tr '\n' ' ')"

# The containers' users must be able to read them. A mounted folder has the clone's modes, unlike an image.
closed=$(find "${folders[@]}" nginx \( -type d ! -perm -005 -o -type f ! -perm -004 \) | head -n 1)
if [ -n "$closed" ]; then
    refuse watch "$closed, which only some users of this machine may read" \
        "sources that the containers' users may read, since they are mounted" "chmod -R go+rX ${folders[*]} nginx"
fi
overlay() { # the folders that only this clone has and deploy/watch.yaml lacks
    local service folder more
    more=$(for folder in "${folders[@]}"; do case $folder in app | MyChannels) ;; *) echo "$folder" ;; esac; done)
    [ -n "$more" ] || { echo "services: {}" && return; }
    echo "services:"
    for service in migrate web daphne; do
        echo "  $service:"
        echo "    volumes:"
        for folder in $more; do
            echo "      - { type: bind, source: ./$folder, target: /srv/$folder, read_only: true, bind: { create_host_path: false } }"
        done
        [ "$service" != migrate ] || continue
        echo "    develop:"
        echo "      watch:"
        for folder in $more; do
            echo "        - { action: restart, path: $folder, ignore: [static/] }"
            [ "$service" != web ] || [ ! -d "$folder/static" ] || echo "        - { action: rebuild, path: $folder/static }"
        done
    done
}

own watch
[ ! -d secrets ] || bash deploy/secret-digests.sh # otherwise containers with older secrets would stay
mkdir -p .state
overlay=.state/watch.yaml
overlay > "$overlay"
exec docker compose --file compose.yaml --file deploy/watch.yaml --file "$overlay" up --watch
