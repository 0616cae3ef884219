#!/usr/bin/env bash
# Churn for so many minutes, and whether something grew; the report goes to docs/results/: tests/soak.sh [30]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

minutes=${1:-30}
[[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ && $minutes =~ [1-9] ]] || {
    echo "soak: expected MINUTES above 0, as 30 or 0.5, received '$minutes'" >&2
    exit 1
}
commit=$(git describe --always --dirty 2> /dev/null) || commit=unknown
chosen=()
for name in CHANNEL_LAYER WEBSOCKETS; do
    [ -z "${!name:-}" ] || chosen+=("$name=${!name}")
done
exec bash tests/image.sh env "${chosen[@]}" RESULT_COMMIT="$commit" RESULT_COMMAND="${chosen[*]:+${chosen[*]} }make soak MINUTES=$minutes" \
    python -m tests.soak "$minutes" "docs/results/$(date +%F)-soak${WEBSOCKETS:+-$WEBSOCKETS}.md"
