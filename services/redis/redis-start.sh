#!/bin/sh
# Writes the users' file from the secret, then becomes the server.
# The secret is stored as its hash, so that ACL LIST does not show it.
set -eu

hash=$(tr -d '\n' < "$REDIS_PASSWORD_FILE" | sha256sum | cut -d ' ' -f 1)

# What redis-py, the two layers of channels_redis and the health checks send, by the server's own count
# (HELLO and AUTH need no leave): pub/sub layer: SUBSCRIBE UNSUBSCRIBE PUBLISH; core layer: the rest.
# Its flush() would need KEYS, which nobody else should have.
# Keys begin with the layers' prefix, `asgi`, or are the rooms' logs and lists of members (MyChannels/groups.py);
# no other key is in reach. Pub/sub channels may have any name (`&*`): `send("jobs", …)` publishes to `jobs`, a second
# layer has a prefix of its own, and packages subscribe to names of theirs. This Redis has no other users, and a
# channel keeps nothing: SECURITY.md. Rooms: INFO, for the run and the memory; scripts that
# append and read; and what those call.
commands='+ping +client|setinfo +info +time
  +evalsha +script|load +hget +hset +hmget +hdel +xadd +xdel +xtrim +xrange +xrevrange +rpush +lpop +lindex
  +pexpire +pttl +unlink
  +publish +subscribe +unsubscribe
  +zadd +zcount +zrange +zrem +zremrangebyscore +zpopmin +bzpopmin
  +expire +del +eval +multi +exec'

# `make doctor` reads (redis-report.sh) by a user of its own, not by more rights for `app`: what INFO and
# SCAN tell is of no use to a worker, or to who got into one. Its password is made anew at each start and
# is known in this container only, so it is no further secret to keep, and no container can log in with it.
doctor=$(head -c 32 /dev/urandom | sha256sum | cut -d ' ' -f 1)
doctor_hash=$(printf %s "$doctor" | sha256sum | cut -d ' ' -f 1)

# Nobody can log in as `default`, but Redis itself reads its append-only file as this user: without
# leave to write, it drops from it, silently, whatever a transaction or a script wrote. Where that was the first
# write after a start, SELECT stands within the transaction, and is counted as refused.
umask 077
printf %s "$doctor" > /run/redis/doctor
cat > /run/redis/users.acl <<ACL
user default off ~* -@all +@write +select
user app on #$hash resetchannels ~asgi* ~room:* ~rooms ~process:* ~processes &* -@all $(echo "$commands" | tr '\n' ' ')
user doctor on #$doctor_hash resetchannels %R~asgi:group:* -@all +info +config|get +scan +zrange
ACL

# Redis removes its pid file when it stops cleanly. Where it is left, what was written last may be lost: a new
# generation begins. The rooms' logs read it in INFO, which tells the name of the configuration file.
if [ -e /data/redis.pid ] || [ ! -s /data/generation ]; then
    head -c 9 /dev/urandom | od -An -tx1 | tr -d ' \n' > /data/generation
fi
configuration=/run/redis/generation-$(cat /data/generation).conf
cp "$2" "$configuration"

exec "$1" "$configuration" --maxmemory "$REDIS_MAXMEMORY"
