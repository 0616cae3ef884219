#!/usr/bin/env bash
# Replaces every web and WebSocket container by the present build while clients stay: new ones beside the old,
# then the old ones leave one at a time. What does not get healthy changes nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/rolling.sh
. deploy/lib/rolling.sh

begin deploy
demand_whole
say "checking and building; what runs is not touched"
bash deploy/prepare.sh deploy
roll
demand_readiness
settle
if image_id "$project-web:previous" > /dev/null; then
    say "done: the build before can be had back by make rollback"
else
    say "done: no other build ran before, so there is none to go back to"
fi
