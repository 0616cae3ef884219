#!/bin/sh
# For `make doctor`: what Redis says of itself, and the members of the core layer's groups.
# INFO's lines, CONFIG GET as one JSON object, the groups' keys, then a JSON list of each one's members.
set -eu

DEADLINE=5 # seconds for each question
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
