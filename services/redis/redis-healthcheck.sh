#!/bin/sh
# Redis is healthy if it answers PONG to an authenticated PING. redis-cli's exit status is 0 on NOAUTH and LOADING too.
set -eu

REDISCLI_AUTH=$(cat "$REDIS_PASSWORD_FILE")
export REDISCLI_AUTH
answer=$(redis-cli --user app ping)
[ "$answer" = PONG ] || { echo "expected PONG, received: $answer"; exit 1; }
