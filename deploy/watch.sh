#!/usr/bin/env bash
# Starts the stack with this folder's sources in its containers, and follows their changes until Ctrl-C.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

# The containers read them as users of their own. Images have their own modes; a mounted folder has the clone's.
closed=$(find app MyChannels nginx \( -type d ! -perm -005 -o -type f ! -perm -004 \) | head -n 1)
if [ -n "$closed" ]; then
    refuse watch "$closed, which only some users of this machine may read" \
        "sources that the containers' users may read, since they are mounted" "chmod -R go+rX app MyChannels nginx"
fi
own watch
[ ! -d secrets ] || bash deploy/secret-digests.sh # else what has read other secrets would stay
exec docker compose --file compose.yaml --file deploy/watch.yaml up --watch
