#!/usr/bin/env bash
# Replaces every web and WebSocket container by the present build without disconnecting clients abruptly: starts new
# ones beside the old, then drains the old ones one at a time. If new ones do not become healthy, nothing changes.
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
