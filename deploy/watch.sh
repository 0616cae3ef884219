#!/usr/bin/env bash
# Starts the stack with this folder's sources in its containers, and follows their changes until Ctrl-C.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

# What services/Dockerfile takes into the image: app, MyChannels and the folders of your own apps.
read -ra folders <<< "$(sed -n '/AS source/,/^FROM .* AS files/s/^COPY \([^ .]*\) .*/\1/p' services/Dockerfile | tr '\n' ' ')"

# The containers read them as users of their own. Images have their own modes; a mounted folder has the clone's.
closed=$(find "${folders[@]}" nginx \( -type d ! -perm -005 -o -type f ! -perm -004 \) | head -n 1)
if [ -n "$closed" ]; then
    refuse watch "$closed, which only some users of this machine may read" \
        "sources that the containers' users may read, since they are mounted" "chmod -R go+rX ${folders[*]} nginx"
fi
overlay() { # the folders of deploy/watch.yaml that only this tree has
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
[ ! -d secrets ] || bash deploy/secret-digests.sh # else what has read other secrets would stay
mkdir -p .state
overlay=.state/watch.yaml
overlay > "$overlay"
exec docker compose --file compose.yaml --file deploy/watch.yaml --file "$overlay" up --watch
