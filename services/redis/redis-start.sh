#!/bin/sh
# Writes the users' file from the secret, then becomes the server.
# The secret is stored as its hash, so that ACL LIST does not show it.
set -eu

hash=$(tr -d '\n' < "$REDIS_PASSWORD_FILE" | sha256sum | cut -d ' ' -f 1)

# Read from what the two layers of channels_redis and the health checks send:
# pub/sub layer: SUBSCRIBE UNSUBSCRIBE PUBLISH; core layer: sorted sets, EVAL, and KEYS for flush.
# Keys and channels begin with the layers' prefix, `asgi`; nothing else is in reach.
commands='+ping +hello +auth +client|setinfo +client|setname +client|id
  +publish +subscribe +unsubscribe
  +zadd +zcard +zcount +zrange +zrem +zremrangebyscore +zpopmin +bzpopmin
  +expire +del +eval +evalsha +script|load +multi +exec'

umask 077
cat > /run/redis/users.acl <<ACL
user default off
user app on #$hash resetchannels ~asgi* &asgi* -@all $(echo "$commands" | tr '\n' ' ')
ACL

exec "$@" --maxmemory "$REDIS_MAXMEMORY"
