#!/usr/bin/env bash
# From a clone in any state to a running, healthy stack; a second run changes nothing. Where a stack runs, what has
# changed is started beside the old, as by deploy.sh.
#
#   deploy/up.sh [BACKUP]     with the name of a file: writes a backup there before anything is replaced
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/rolling.sh
. deploy/lib/rolling.sh

begin up

# No impact on a running stack yet.
bash deploy/prepare.sh
[ -z "${1:-}" ] || bash deploy/backup.sh "$1"

own_again up

# Impact.
claim "$project"
change ${moved:+--force-recreate}
# If that has replaced nginx, it has loaded the present configuration.
docker compose exec -T nginx nginx-reload.sh > /dev/null
rm -f "$REPLACING" # as many as .env says, whatever a deployment that was broken off has left
demand_readiness
settle
echo "up: $(bash deploy/dotenv.sh get PUBLIC_URL)/ is open."
