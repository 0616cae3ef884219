#!/usr/bin/env bash
# Installs Docker's engine from the distribution if there is none, and starts it.
#
#   deploy/engine/install.sh     as root on Debian or Ubuntu; called by deploy/engine.sh
#
# Waits until the engine answers, or fails with the last lines of its log.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/lib/versions.sh
. "$here/../lib/versions.sh"
# shellcheck source=deploy/lib/apt.sh
. "$here/../lib/apt.sh"

log=/var/log/dockerd.log
say() { printf 'engine: %s\n' "$@" >&2; }

install_engine() {
    local packages="docker.io iptables ca-certificates" output
    output=$(mktemp)
    say "apt-get update and install; this takes a minute"
    if apt-get -q update >"$output" 2>&1; then
        # Newer suites have the client in a separate package. A kernel with AppArmor needs apparmor's parser.
        if ! command -v docker >/dev/null && [ -n "$(candidate docker-cli)" ]; then packages="$packages docker-cli"; fi
        if grep -qs Y /sys/module/apparmor/parameters/enabled; then packages="$packages apparmor"; fi
        # shellcheck disable=SC2086  # a list of words
        if DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $packages >"$output" 2>&1; then
            rm -f "$output"
            return
        fi
    fi
    tail -n 15 "$output" >&2
    say "found:    apt could not install $packages (its last lines are above)" \
        "expected: a package mirror that answers" "fix:      apt-get update && apt-get install $packages"
    exit 1
}

# After an unclean stop, or a reboot that gave the pid to another program, the engine would
# refuse to start because of its old pid file.
drop_stale_pid() { # drop_stale_pid FILE PROGRAM
    local pid
    [ -f "$1" ] || return 0
    pid=$(cat "$1")
    [ "$(cat "/proc/${pid:-none}/comm" 2>/dev/null)" = "$2" ] || rm -f "$1"
}

show_log() {
    if [ -d /run/systemd/system ]; then journalctl -u docker -n 15 --no-pager; else tail -n 15 "$log"; fi >&2 || true
}

command -v dockerd >/dev/null || install_engine

started=
if [ -d /run/systemd/system ]; then
    systemctl enable --now docker || true # the wait below finds out
elif ! engine_version >/dev/null; then
    drop_stale_pid /var/run/docker.pid dockerd
    drop_stale_pid /var/run/docker/containerd/containerd.pid containerd
    # If the pid file is not stale, another run is starting the engine: only wait.
    if [ ! -f /var/run/docker.pid ]; then
        setsid nohup dockerd >>"$log" 2>&1 </dev/null &
        started=$!
    fi
fi

deadline=$((SECONDS + 60))
until engine_version >/dev/null; do
    if [ "$SECONDS" -ge "$deadline" ] || { [ -n "$started" ] && ! kill -0 "$started" 2>/dev/null; }; then
        show_log
        say "found:    dockerd ended, or gave no answer for 60 s (its last lines are above)" \
            "expected: docker info shows a server" "fix:      what its log says, then: make up"
        exit 1
    fi
    sleep 1
done
