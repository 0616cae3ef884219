#!/usr/bin/env bash
# Writes settings for a stand-in's /etc: apt's sources and the paths that dpkg leaves out.
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
    # A released suite gets fixes from separate suites; a testing suite contains them.
    if [ "$suite" = trixie ]; then
        echo "deb $mirror $suite-updates main"
        [ -z "$security" ] || echo "deb $security $suite-security main"
    fi
} >"$folder/apt/sources.list"

# A mirror may serve an old index, which apt would refuse as expired. Allow that here, where
# there is no other source. apt still checks signatures.
echo 'Acquire::Check-Valid-Until "false";' >"$folder/apt/apt.conf.d/90standin"
apt-config dump | grep '^Acquire::Check-Date ' >>"$folder/apt/apt.conf.d/90standin" || true

printf 'path-exclude=/usr/share/%s/*\n' doc man info locale lintian >"$folder/dpkg/dpkg.cfg.d/90standin"
