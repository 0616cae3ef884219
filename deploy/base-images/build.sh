#!/usr/bin/env bash
# Builds stand-ins for the official base images from Debian packages.
#
#   deploy/base-images/build.sh python|nginx|redis …    called by deploy/base-images.sh
#
# Builds standin/python:3.13, standin/nginx:1.30, standin/redis:8.0. Needs an engine, root
# and a Debian mirror. To rebuild them from today's packages, remove them first:
# docker image rm standin/python:3.13 … standin/rootfs:trixie standin/rootfs:forky
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/lib/apt.sh
. "$here/../lib/apt.sh"

say() { printf 'base-images: %s\n' "$@" >&2; }
fail() { say "$@" && exit 1; }
apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >/dev/null; } # still shows errors

[ "$(id -u)" = 0 ] || fail "found:    stand-ins to build, and the user $(id -un)" \
    "expected: root, which debootstrap needs" "fix:      sudo bash $here/build.sh $*   then: make up"
command -v apt-get >/dev/null || fail "found:    stand-ins to build, and no apt-get on this system" \
    "expected: Debian or Ubuntu, or images that can be pulled" \
    "fix:      PYTHON_IMAGE=, NGINX_IMAGE= and REDIS_IMAGE= in .env, at a registry that answers"
if ! command -v debootstrap >/dev/null || ! debian_keyring >/dev/null; then
    say "installs debootstrap with apt"
    { apt update && apt -y install --no-install-recommends debootstrap debian-archive-keyring wget; } ||
        fail "found:    apt could not install debootstrap" "expected: a package mirror that answers" \
            "fix:      apt-get update && apt-get install debootstrap"
fi
[ -n "$(debian_mirror)" ] || apt update || true # the lists tell which source is Debian's
[ -n "$(debian_mirror)" ] || fail "found:    no Debian mirror in this machine's apt sources" \
    "expected: one to take the stand-ins' packages from" "fix:      DEBIAN_MIRROR=http://… make up"

# If only apt's configuration names a proxy, pass it on to debootstrap and the build.
for scheme in http https; do
    name=${scheme}_proxy proxy=
    eval "$(apt-config shell proxy "Acquire::$scheme::Proxy")"
    case ${!name-}:$proxy in :http*) export "$name=$proxy" ;; esac
done

# Use the built-in builder, which has the context's name: a builder in its own container
# cannot see the imported systems.
options=(--builder "$(docker context inspect --format '{{.Name}}')" --progress plain)
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [ -z "${!name-}" ] || options+=(--build-arg "$name")
done
bundle=/etc/ssl/certs/ca-certificates.crt
[ ! -r "$bundle" ] || options+=(--secret "id=ca,src=$bundle")

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

build() { # build python|nginx|redis
    local target=$1 suite tag log=$scratch/$1.log
    case $target in # trixie has Python 3.13; nginx >= 1.30.4 and Redis 8.0 are only in forky
    python) suite=trixie tag=standin/python:3.13 ;;
    nginx) suite=forky tag=standin/nginx:1.30 ;;
    redis) suite=forky tag=standin/redis:8.0 ;;
    esac
    bash "$here/rootfs.sh" "$suite" "standin/rootfs:$suite"
    bash "$here/settings.sh" "$suite" "$scratch/$target/etc"
    cp "$here/install-packages" "$scratch/$target/"
    if ! docker buildx build "${options[@]}" --build-arg "ROOTFS=standin/rootfs:$suite" --target "$target" \
        --tag "$tag" --file "$here/Dockerfile" "$scratch/$target" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "found:    the build of $tag failed (its last lines are above)" \
            "expected: packages from $(debian_mirror)" "fix:      what the log says, then: make up"
    fi
    say "built    $tag"
}

# python has its own system. nginx and redis share one, so they are built one after the other.
pids=()
for suite in trixie forky; do
    for target; do
        case $target:$suite in python:trixie | nginx:forky | redis:forky) build "$target" ;; esac
    done &
    pids+=("$!")
done
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
exit "$failed"
