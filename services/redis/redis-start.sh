#!/bin/sh
# Writes the ACL file from the secret, then starts the server.
# The file has only the secret's hash, so that ACL LIST does not show the secret.
set -eu

hash=$(tr -d '\n' < "$REDIS_PASSWORD_FILE" | sha256sum | cut -d ' ' -f 1)

# The commands that redis-py, the two layers of channels_redis and the health checks send, by the server's own count.
# HELLO and AUTH need no permission. The pub/sub layer sends SUBSCRIBE, UNSUBSCRIBE and PUBLISH; the core layer sends
# the rest. Its flush() would need KEYS, which is not permitted because nothing else should use it.
# The user can access only keys with the layers' prefix, `asgi`, and the rooms' logs and lists of members
# (MyChannels/groups.py). Pub/sub channels may have any name (`&*`): `send("jobs", …)` publishes to `jobs`, a second
# layer has its own prefix, and packages subscribe to their own names. This Redis has no other users, and a channel
# stores nothing: SECURITY.md. The rooms need INFO, for the run id and the memory, scripts that append and read, and the
# commands that these scripts call.
commands='+ping +client|setinfo +info +time
  +evalsha +script|load +hget +hset +hmget +hdel +xadd +xdel +xtrim +xrange +xrevrange +rpush +lpop +lindex
  +pexpire +pttl +unlink
  +publish +subscribe +unsubscribe
  +zadd +zcount +zrange +zrem +zremrangebyscore +zpopmin +bzpopmin
  +expire +del +eval +multi +exec'

# `make doctor` reads (redis-report.sh) as a separate user, so that `app` needs no further rights: what INFO and SCAN
# show is of no use to a worker, or to an intruder in one. The user's password is generated at each start and known only
# in this container, so there is no further secret to keep, and no other container can log in with it.
doctor=$(head -c 32 /dev/urandom | sha256sum | cut -d ' ' -f 1)
doctor_hash=$(printf %s "$doctor" | sha256sum | cut -d ' ' -f 1)

# No client can log in as `default`, but Redis itself reads its append-only file as this user. Without permission to
# write, it silently drops everything that a transaction or a script wrote. `select` is needed too: for the first write
# after a start, SELECT is inside the transaction, and would be counted as refused.
umask 077
printf %s "$doctor" > /run/redis/doctor
cat > /run/redis/users.acl <<ACL
user default off ~* -@all +@write +select
user app on #$hash resetchannels ~asgi* ~room:* ~rooms ~process:* ~processes &* -@all $(echo "$commands" | tr '\n' ' ')
user doctor on #$doctor_hash resetchannels %R~asgi:group:* -@all +info +config|get +scan +zrange
ACL

# Redis removes its pid file when it stops cleanly. If the file is left, the last writes may be lost, so a new
# generation begins. The rooms' logs read the generation from the name of the configuration file in INFO.
if [ -e /data/redis.pid ] || [ ! -s /data/generation ]; then
    head -c 9 /dev/urandom | od -An -tx1 | tr -d ' \n' > /data/generation
fi
configuration=/run/redis/generation-$(cat /data/generation).conf
cp "$2" "$configuration"

exec "$1" "$configuration" --maxmemory "$REDIS_MAXMEMORY"
