#!/usr/bin/env bash
# Pulls images in parallel. Gives up on images for which no registry begins to answer.
#
#   deploy/base-images/pull.sh IMAGE …    called by deploy/base-images.sh
#
# Prints "IMAGE reason" for each image that could not be pulled, and nothing for the others.
# A registry must begin to answer within PULL_ANSWER_SECONDS (20).
set -euo pipefail

limit=${PULL_ANSWER_SECONDS:-20}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The limit ends with the line "Pulling from …", which the engine prints once it has the
# manifest. After that a pull may take any time. GNU timeout would also end slow pulls, and
# macOS lacks it.
pull() { # pull IMAGE OUTPUT
    local pid deadline=$((SECONDS + limit))
    : >"$2" # must exist before grep reads it
    docker pull "$1" >"$2" 2>"$2.err" &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        if grep -q 'Pulling from' "$2"; then
            printf 'base-images: pulling  %s\n' "$1" >&2
            break
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            kill "$pid"
            echo "no answer within $limit s" >"$2.err"
            return 1
        fi
        sleep 0.2
    done
    wait "$pid"
}

number=0
for image; do
    number=$((number + 1))
    { pull "$image" "$scratch/$number" || echo "$image $(tail -n 1 "$scratch/$number.err" | cut -c 1-200)"; } &
done
wait
