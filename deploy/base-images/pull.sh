#!/usr/bin/env bash
# Pulls images side by side, giving up on those for which no registry begins to answer.
#
#   deploy/base-images/pull.sh IMAGE …    called by deploy/base-images.sh
#
# Prints "IMAGE reason" for each one that could not be had, and nothing for the others.
# PULL_ANSWER_SECONDS (20) is how long a registry may take until it begins to answer.
set -euo pipefail

limit=${PULL_ANSWER_SECONDS:-20}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The limit is on the line "Pulling from …", which the engine prints once it has the
# manifest: from then on a slow pull takes as long as it takes. Not GNU timeout, which
# macOS lacks and which would end those as well.
pull() { # pull IMAGE OUTPUT
    local pid deadline=$((SECONDS + limit))
    : >"$2" # before it is looked into
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
