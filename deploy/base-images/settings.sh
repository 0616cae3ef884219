#!/usr/bin/env bash
# Writes the settings that a stand-in's /etc gets: where apt finds packages and what
# dpkg leaves out.
#
#   deploy/base-images/settings.sh SUITE FOLDER     called by build.sh
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/lib/apt.sh
. "$here/../lib/apt.sh"

suite=$1 folder=$2
mirror=$(debian_mirror)
security=$(debian_mirror Debian-Security)
mkdir -p "$folder/apt/apt.conf.d" "$folder/dpkg/dpkg.cfg.d"
{
    echo "deb $mirror $suite main"
    # A released suite gets its fixes beside it, a testing suite within.
    if [ "$suite" = trixie ]; then
        echo "deb $mirror $suite-updates main"
        [ -z "$security" ] || echo "deb $security $suite-security main"
    fi
} >"$folder/apt/sources.list"

# A mirror may serve an old index, which apt then refuses as expired: allowed here alone,
# where nothing else is to be had. Signatures are checked as ever.
echo 'Acquire::Check-Valid-Until "false";' >"$folder/apt/apt.conf.d/90standin"
apt-config dump | grep '^Acquire::Check-Date ' >>"$folder/apt/apt.conf.d/90standin" || true

printf 'path-exclude=/usr/share/%s/*\n' doc man info locale lintian >"$folder/dpkg/dpkg.cfg.d/90standin"
