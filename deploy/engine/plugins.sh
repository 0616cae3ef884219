#!/usr/bin/env bash
# Installs Docker's plugins compose and buildx if they are missing or too old.
#
#   deploy/engine/plugins.sh     as root on Debian or Ubuntu; called by deploy/engine.sh
#
# Uses the distribution's packages if they are new enough. Otherwise, on Debian, extracts the
# two static binaries from a newer suite's packages: installing those packages would pull that
# suite's libraries into this system.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/lib/versions.sh
. "$here/../lib/versions.sh"
# shellcheck source=deploy/lib/apt.sh
. "$here/../lib/apt.sh"

newer_suite=forky
folder=/usr/local/lib/docker/cli-plugins
say() { printf 'engine: %s\n' "$@" >&2; }

from_distribution() { # from_distribution MINIMUM PACKAGE…: the first that is new enough
    local minimum=$1 package
    shift
    for package; do
        if at_least "$(candidate "$package")" "$minimum"; then
            say "installs $package $(candidate "$package")"
            DEBIAN_FRONTEND=noninteractive apt-get -qqy install --no-install-recommends "$package" >/dev/null && return
        fi
    done
    return 1
}

from_newer_suite() { # from_newer_suite PACKAGE: extracts its plugin into $folder
    local package=$1 mirror keyring scratch
    is_debian || return 1
    mirror=$(debian_mirror) && keyring=$(debian_keyring) && [ -n "$mirror" ] || return 1
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064  # this directory, whatever the variable holds by then
    trap "rm -rf '$scratch'" EXIT
    chmod 755 "$scratch" && chown _apt "$scratch" # apt downloads as this unprivileged user
    mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial"
    echo "deb [signed-by=$keyring arch=$(dpkg --print-architecture) target=Packages] $mirror $newer_suite main" \
        >"$scratch/sources.list"
    # Separate lists and cache, so that the machine's apt does not see the newer suite. apt
    # still checks signatures; the stable releases' keys also sign that suite. It does not check
    # the expiry date, because mirrors may lag: an expired index could only offer an old
    # version, and the caller has a minimum.
    set -- -qq -o "Dir::State::lists=$scratch/lists" -o "Dir::Etc::sourcelist=$scratch/sources.list" \
        -o Dir::Etc::sourceparts=- -o "Dir::Cache=$scratch/cache" -o Acquire::Check-Valid-Until=false
    say "takes $package from the suite $newer_suite"
    (cd "$scratch" && apt-get "$@" update && apt-get "$@" download "$package" &&
        dpkg-deb -x "$package"_*.deb unpacked) >&2 || return 1
    mkdir -p "$folder"
    install -m 755 "$scratch"/unpacked/usr/libexec/docker/cli-plugins/docker-* "$folder/"
    rm -rf "$scratch"
}

apt-get -qq update || true # if this fails, the installation reports the problem

if ! at_least "$(compose_version)" "$MIN_COMPOSE"; then
    from_distribution "$MIN_COMPOSE" docker-compose-plugin docker-compose-v2 docker-compose ||
        from_newer_suite docker-compose || true
fi
if ! at_least "$(buildx_version)" "$MIN_BUILDX"; then
    from_distribution "$MIN_BUILDX" docker-buildx-plugin docker-buildx || from_newer_suite docker-buildx || true
fi

if ! at_least "$(compose_version)" "$MIN_COMPOSE" || ! at_least "$(buildx_version)" "$MIN_BUILDX"; then
    say "found:    Compose $(compose_version || echo none), buildx $(buildx_version || echo none)" \
        "expected: Compose >= $MIN_COMPOSE and buildx >= $MIN_BUILDX" \
        "fix:      put newer docker-compose and docker-buildx into $folder" \
        "          (an old one in ~/.docker/cli-plugins hides it: ls ~/.docker/cli-plugins)"
    exit 1
fi
