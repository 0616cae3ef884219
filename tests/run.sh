#!/usr/bin/env bash
# Runs the tests, or those named: tests/run.sh [tests/unit …]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -eq 0 ] || exec bash tests/image.sh pytest "$@"

# They start stacks of their own and use none of those that the other stack tests share. Which of them run beside those
# is chosen so that both halves take about as long.
own_stacks=(
    tests/stack/test_base_images.py tests/stack/test_deploy.py tests/stack/test_dev.py
    tests/stack/test_engine_elsewhere.py tests/stack/test_folder.py tests/stack/test_lost_configuration.py
    tests/stack/test_upgrade.py tests/stack/test_uvicorn.py
)
shared_stacks=(
    tests/stack "${own_stacks[@]/#/--ignore=}" tests/security
    # The quickest faults; `make test-chaos` runs all.
    tests/chaos/test_redis_connections_killed.py tests/chaos/test_redis_restart.py tests/chaos/test_worker_killed.py
)
quick=(tests/unit tests/javascript tests/micro)

log=.state/tests.log
shown='' beside='' stopped='' failed=()
trap 'stopped=130' INT
trap 'stopped=143; kill $shown $beside 2> /dev/null || true' TERM

outcome() { # outcome PID: its exit status; a signal to us ends our waiting, and not it
    local status
    while :; do
        status=0
        wait "$1" || status=$?
        kill -0 "$1" 2> /dev/null || return "$status"
    done
}

# Two at a time, because most of their time is waiting.
both() { # both SHOWN… -- LOGGED…: the first is shown as it goes, the second when it has ended
    local -a first=()
    while [ "$1" != -- ]; do first+=("$1") && shift; done
    shift
    bash tests/image.sh pytest -p no:cacheprovider "$@" < /dev/null > "$log" 2>&1 &
    beside=$!
    bash tests/image.sh pytest "${first[@]}" < /dev/null & # no terminal: Ctrl-C is for both, and reaches them from there
    shown=$!
    outcome "$shown" || failed+=("${first[*]}")
    outcome "$beside" || failed+=("$*")
    cat "$log"
    [ -z "$stopped" ] || exit "$stopped"
}

bash tests/image.sh true # which both would build
both "${shared_stacks[@]}" -- tests/integration tests/third_party "${own_stacks[@]}"
# When the others have ended: containers that come and go change the host's network, and Chromium drops its sockets.
both tests/browser -- "${quick[@]}"

[ "${#failed[@]}" = 0 ] || printf '\ntest: FAILED  %s\n' "${failed[@]}" >&2
exit "$((${#failed[@]} > 0))"
