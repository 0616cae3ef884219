#!/usr/bin/env bash
# Brings a clone in any state to a running, healthy stack. A second run changes nothing. In a running stack, starts
# changed containers beside the old ones, as deploy.sh does.
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

# Impact on a running stack begins.
claim "$project"
change ${moved:+--force-recreate}
# Loads the present configuration. If nginx was just replaced, it has it already.
docker compose exec -T nginx nginx-reload.sh > /dev/null
rm -f "$REPLACING" # .env's numbers apply again, not those of an interrupted deployment
demand_readiness
settle
echo "up: $(bash deploy/dotenv.sh get PUBLIC_URL)/ is open."
