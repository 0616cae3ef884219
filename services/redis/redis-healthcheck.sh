#!/bin/sh
# Healthy is PONG to an authenticated PING: redis-cli exits 0 on NOAUTH and LOADING too.
set -eu

REDISCLI_AUTH=$(cat "$REDIS_PASSWORD_FILE")
export REDISCLI_AUTH
answer=$(redis-cli --user app ping)
[ "$answer" = PONG ] || { echo "expected PONG, received: $answer"; exit 1; }
