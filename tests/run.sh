#!/usr/bin/env bash
# Runs the tests, or those named: tests/run.sh [tests/unit …]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -eq 0 ] || exec bash tests/image.sh pytest "$@"

# All are two runs side by side, because most of their time is waiting. Each has stacks of its own.
shipped=(
    tests/stack tests/security
    # The quickest faults; `make test-chaos` runs all.
    tests/chaos/test_redis_connections_killed.py tests/chaos/test_redis_restart.py tests/chaos/test_worker_killed.py
    # When the others have ended: containers that come and go change the host's network, and Chromium drops its sockets.
    tests/browser
)
rest=(tests/unit tests/javascript tests/micro tests/integration tests/third_party) # quickest first

bash tests/image.sh true # which both would build
said=.state/tests.log
bash tests/image.sh pytest -p no:cacheprovider "${rest[@]}" < /dev/null > "$said" 2>&1 &
beside=$!
bash tests/image.sh pytest "${shipped[@]}" < /dev/null & # no terminal: Ctrl-C is for both, and reaches them from there
shown=$!
trap : INT
trap 'kill "$beside" "$shown" 2>/dev/null || true' TERM

outcome() { # outcome PID: its exit status; a signal to us ends our waiting, and not it
    local status
    while :; do
        status=0
        wait "$1" || status=$?
        kill -0 "$1" 2>/dev/null || return "$status"
    done
}

failed=0
outcome "$shown" || failed=$?
[ "$failed" = 0 ] || printf '\ntest: FAILED  %s\n' "${shipped[*]}" >&2
others=0
outcome "$beside" || others=$?
cat "$said"
[ "$others" = 0 ] || printf '\ntest: FAILED  %s\n' "${rest[*]}" >&2
exit $((failed ? failed : others))
