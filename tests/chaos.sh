#!/usr/bin/env bash
# Every fault, with the table in docs/results/, or the one that is named: tests/chaos.sh [redis-restart]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sizes=()
for name in CHAOS_CLIENTS CHAOS_RATE CHAOS_CROWD; do [ -z "${!name:-}" ] || sizes+=("$name=${!name}"); done

if [ -n "${1:-}" ]; then
    file=tests/chaos/test_${1//-/_}.py
    [ -f "$file" ] || {
        echo "chaos: expected one of these faults, received '$1':" >&2
        find tests/chaos -name 'test_*.py' | sed 's|.*/test_||; s|\.py$||; s|_|-|g; s|^|  |' | sort >&2
        exit 1
    }
    exec bash tests/image.sh env "${sizes[@]}" pytest -v "$file"
fi
commit=$(git describe --always --dirty 2>/dev/null) || commit=unknown
exec bash tests/image.sh env "${sizes[@]}" RESULT_COMMIT="$commit" CHAOS_RESULT="docs/results/$(date +%F)-chaos${WEBSOCKETS:+-$WEBSOCKETS}.md" \
    RESULT_COMMAND="${WEBSOCKETS:+WEBSOCKETS=$WEBSOCKETS }${sizes[*]:+${sizes[*]} }make test-chaos" pytest -v tests/chaos
