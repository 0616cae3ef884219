#!/bin/sh
# For `make doctor`: prints Redis' own information and the members of the core layer's groups.
# In this order: INFO, CONFIG GET as one JSON object, the groups' keys, then a JSON list of each group's members.
set -eu

DEADLINE=5 # seconds for each command
MOST=10000 # groups

REDISCLI_AUTH=$(cat /run/redis/doctor)
export REDISCLI_AUTH
ask() { timeout "$DEADLINE" redis-cli --user doctor "$@" 2>&1; }

ask --json info
ask --json config get maxmemory maxmemory-policy client-output-buffer-limit
keys=$(ask --scan --pattern 'asgi:group:*' | head -n "$MOST")
[ -n "$keys" ] || exit 0
echo "$keys"
for key in $keys; do echo "zrange $key 0 -1 withscores"; done | ask --json
