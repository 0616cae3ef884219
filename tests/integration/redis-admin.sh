#!/bin/sh
# Stands in front of redis-server: gives the tests a user that may cut connections, count and configure.
set -eu
echo 'user admin on nopass ~* &* +@all' >> /run/redis/users.acl
exec redis-server "$@"
