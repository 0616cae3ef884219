# shellcheck shell=bash
# The minimum versions of the engine and its plugins, functions that find the installed
# ones, and a comparison. Sourced by engine.sh and preflight.sh.

# shellcheck disable=SC2034  # used by the scripts that source this file
MIN_ENGINE=20.10 MIN_COMPOSE=2.30 MIN_BUILDX=0.17 # `compose build` refuses buildx < 0.17

# Prints nothing and fails if no engine answers. A docker client in PATH does not mean that
# there is an engine, and old clients exit 0 without one, so this checks the server's version.
engine_version() { docker info --format '{{.ServerVersion}}' 2>/dev/null | grep '[0-9]'; }
compose_version() { docker compose version --short 2>/dev/null | grep -o '[0-9][0-9.]*' | head -n 1; }
buildx_version() { docker buildx version 2>/dev/null | awk '{ print $2 }' | grep -o '[0-9][0-9.]*' | head -n 1; }

# at_least HAVE WANT: compares the parts as numbers (macOS' sort may lack -V).
at_least() {
    local have=${1#v} want=$2 h w
    have=${have%%[!0-9.]*}
    [ -n "$have" ] || return 1
    while [ -n "$want" ]; do
        h=${have%%.*} w=${want%%.*}
        [ "${h:-0}" -gt "$w" ] && return 0
        [ "${h:-0}" -lt "$w" ] && return 1
        case $have in *.*) have=${have#*.} ;; *) have= ;; esac
        case $want in *.*) want=${want#*.} ;; *) want= ;; esac
    done
}
