#!/usr/bin/env bash
# Makes a minimal Debian system from the machine's own mirror and imports it as an image.
#
#   deploy/base-images/rootfs.sh SUITE IMAGE     as root; called by build.sh
#
# Does nothing if the image exists: it serves as the stand-ins' cache.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/lib/apt.sh
. "$here/../lib/apt.sh"

suite=$1 image=$2
if docker image inspect "$image" >/dev/null 2>&1; then exit 0; fi

scratch=$(mktemp -d "/var/tmp/rootfs-$suite.XXXXXX") # /tmp may be small or mounted nodev
trap 'rm -rf "$scratch"' EXIT

# For a suite newer than this machine's debootstrap, which has no script for it, use sid's.
script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid

if ! debootstrap --variant=minbase --force-check-gpg --keyring="$(debian_keyring)" --include=ca-certificates \
    "$suite" "$scratch/root" "$(debian_mirror)" "$script" >"$scratch/log" 2>&1; then
    tail -n 15 "$scratch/log" >&2
    tail -n 15 "$scratch/root/debootstrap/debootstrap.log" >&2 2>/dev/null || true
    printf 'base-images: %s\n' "found:    debootstrap of $suite failed (its last lines are above)" \
        "expected: a minimal system from $(debian_mirror)" \
        "fix:      what the log says; or another mirror: DEBIAN_MIRROR=http://… make up" >&2
    exit 1
fi

# Leave documentation, locales and package caches out of the image.
rm -rf "$scratch"/root/usr/share/{doc,man,info,locale,lintian}/* "$scratch"/root/var/cache/apt/* \
    "$scratch"/root/var/lib/apt/lists/* "$scratch"/root/var/log/* \
    "$scratch/root/etc/resolv.conf" "$scratch/root/etc/hostname"
tar -C "$scratch/root" --numeric-owner -c . | docker import - "$image" >/dev/null
