#!/usr/bin/env bash
# Runs the tests, or those named: tests/run.sh [tests/unit …]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -eq 0 ] || exec tests/image.sh pytest "$@"

# All are two runs side by side, because most of their time is waiting. Each has stacks of its own.
shipped=(
    tests/stack
    # The quickest faults; `make test-chaos` runs all.
    tests/chaos/test_redis_connections_killed.py tests/chaos/test_redis_restart.py tests/chaos/test_worker_killed.py
)
rest=(tests/unit tests/javascript tests/micro tests/integration tests/browser) # quickest first

tests/image.sh true # which both would build
said=$(mktemp)
tests/image.sh pytest "${rest[@]}" < /dev/null > "$said" 2>&1 &
beside=$!
trap 'kill -INT "$beside"' INT # which the shell lets nothing have that is in the background
trap 'rm -f "$said"' EXIT

failed=0
tests/image.sh pytest "${shipped[@]}" || failed=$?
wait "$beside" || failed=$?
cat "$said"
exit "$failed"
