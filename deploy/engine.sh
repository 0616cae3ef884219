#!/usr/bin/env bash
# Makes sure that a Docker engine, Compose v2 and buildx answer.
#
#   deploy/engine.sh
#
# Silent if they do. Otherwise, as root on Debian or Ubuntu: reports what is missing and what
# it will install from the machine's own package mirror, asks if there is a terminal, installs
# only that and starts the engine. On other systems: prints what to do and exits with 1.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/lib/versions.sh
. "$here/lib/versions.sh"
# shellcheck source=deploy/lib/apt.sh
. "$here/lib/apt.sh"

say() { printf 'engine: %s\n' "$@" >&2; }

compose_fine() { at_least "$(compose_version)" "$MIN_COMPOSE"; }
buildx_fine() { at_least "$(buildx_version)" "$MIN_BUILDX"; }
plugins_fine() { compose_fine && buildx_fine; }

engine=$(engine_version) || engine=
if [ -n "$engine" ] && plugins_fine; then exit 0; fi

report() { # the three parts, then the end
    say "found:    $1" "expected: $2"
    shift 2
    say "fix:      $1"
    shift
    [ $# = 0 ] || say "$@"
    say "(make dev runs the rooms without Docker)"
    exit 1
}

# An engine on another machine cannot be fixed from here. If an engine refuses this user, do not install another.
if [ -z "$engine" ] && command -v docker >/dev/null; then
    endpoint=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null) || endpoint=
    case $(docker info 2>&1 || true) in
    *"permission denied"*) report "an engine at ${endpoint:-its socket} that refuses the user $(id -un)" \
        "a user who may talk to it" "sudo usermod -aG docker $(id -un)   then log in again" \
        "          (members of that group are as good as root on this machine)" ;;
    esac
    case $endpoint in
    '' | unix:///var/run/docker.sock | unix:///run/docker.sock) ;;
    *) report "no answer from the engine at $endpoint" "a running Docker engine there" \
        "start it (Docker Desktop: open -a Docker), or choose another: docker context ls; unset DOCKER_HOST" ;;
    esac
fi

missing="a Docker engine >= $MIN_ENGINE, Compose >= $MIN_COMPOSE and buildx >= $MIN_BUILDX that answer"
found="engine ${engine:-none}, Compose $(compose_version || echo none), buildx $(buildx_version || echo none)"
os_like debian || os_like ubuntu || report "$found" "$missing" \
    "install Docker Engine or Docker Desktop with the plugins compose and buildx, start it, and try again"
[ "$(id -u)" = 0 ] || report "$found, and no right to install anything (user $(id -un))" "$missing" \
    "sudo bash $here/engine.sh && sudo usermod -aG docker $(id -un)   then log in again"

say "found:    $found"
plan=
if [ -z "$engine" ] && ! command -v dockerd >/dev/null; then plan="docker.io iptables"; fi
compose_fine || plan="$plan${plan:+, }Compose (plugin)"
buildx_fine || plan="$plan${plan:+, }buildx (plugin)"
from=$(debian_mirror) || from=
[ -z "$plan" ] || say "installs: $plan; with apt, signatures checked, from ${from:-the sources in /etc/apt}"
[ -n "$engine" ] || say "starts:   dockerd"
if [ -t 0 ]; then
    printf 'engine: go ahead? [y/N] ' >&2
    read -r answer
    case $answer in [yY]*) ;; *) report "the answer '$answer'" "$missing" "make up   and answer y, or install them yourself" ;; esac
fi

[ -n "$engine" ] || bash "$here/engine/install.sh"
plugins_fine || bash "$here/engine/plugins.sh"
say "ready:    engine $(engine_version), Compose $(compose_version), buildx $(buildx_version)"
