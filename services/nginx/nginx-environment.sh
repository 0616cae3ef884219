#!/bin/sh
# Fills in nginx's templates from the environment.
set -eu

list() { echo "$1" | tr -d ' ' | tr ',' '\n' | sed '/^$/d'; }
between() { # between LEAST NUMBER MOST
    if [ "$2" -lt "$1" ]; then echo "$1"; elif [ "$2" -gt "$3" ]; then echo "$3"; else echo "$2"; fi
}

# Engines put their name server in /etc/resolv.conf, and not all at the same address.
NGINX_RESOLVERS=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2 }' /etc/resolv.conf | tr '\n' ' ')
[ -n "$NGINX_RESOLVERS" ] || { echo "nginx: expected a nameserver in /etc/resolv.conf, found none" >&2; exit 1; }

# `*` is Django's word for any host. nginx wants none twice, nor example.com beside .example.com.
NGINX_OWN_HOSTS=$(list "$ALLOWED_HOSTS" | tr '[:upper:]' '[:lower:]' | LC_ALL=C sort -u |
    awk '{ given[$0] = 1 } END { for (host in given) if (!(("." host) in given)) print host }' | sed 's/^\*$/~./; s/$/ 1;/')
NGINX_ADMIN_NETWORKS=$(list "$ADMIN_NETWORKS" | sort -u | sed 's/$/ 1;/')
NGINX_PUBLIC_SCHEME=${PUBLIC_URL%%://*}
NGINX_WEBSOCKETS=$WEBSOCKETS
NGINX_CONFIGURATION=$(basename "$(readlink -f /etc/nginx)")

# A kernel without IPv6 has no such socket.
NGINX_LISTEN_IPV6=''
[ ! -e /proc/net/if_inet6 ] || NGINX_LISTEN_IPV6='listen [::]:8080 ipv6only=on;'

# Another worker is tried in the first half of the time only: by then a slow one has not timed out.
NGINX_SOCKET_SECONDS=$((PING_SECONDS * 3))
NGINX_SOCKET_TRIES_MS=$(between 1 $((NGINX_SOCKET_SECONDS * 500)) 5000)
NGINX_PAGE_TRIES_MS=$(between 1 $((PAGE_SECONDS * 500)) 5000)

# 128 MiB of large bodies at once.
NGINX_HEAD_BYTES=$((MAX_HEADER_BYTES + 4096))
NGINX_LARGE_BODIES=$(between 16 $((134217728 / MAX_BODY_BYTES)) 128)
NGINX_LARGE_BODIES_OF_ONE=$((NGINX_LARGE_BODIES / 2))

# As many connections as fit into the container's memory (two places: cgroup v2, v1) when each is at its largest: a
# request takes two, its head, 16 KiB of its body, 20 KiB of its answer, and 8 KiB of nginx's own. 32 MiB are for the
# two processes.
memory=$(cat /sys/fs/cgroup/memory.max 2> /dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2> /dev/null || echo max)
case $memory in max | ?????????????*) memory=1073741824 ;; esac
NGINX_CONNECTIONS=$(between 512 $(((memory - 33554432) / (NGINX_HEAD_BYTES + 45056))) 8192)
# Of all requests, of which both processes hold half as many as connections.
NGINX_REQUESTS_OF_ONE=$((NGINX_CONNECTIONS / 2))

export NGINX_CONFIGURATION NGINX_RESOLVERS NGINX_OWN_HOSTS NGINX_ADMIN_NETWORKS NGINX_PUBLIC_SCHEME NGINX_WEBSOCKETS \
    NGINX_LISTEN_IPV6 NGINX_SOCKET_SECONDS NGINX_SOCKET_TRIES_MS NGINX_PAGE_TRIES_MS NGINX_HEAD_BYTES \
    NGINX_LARGE_BODIES NGINX_LARGE_BODIES_OF_ONE NGINX_CONNECTIONS NGINX_REQUESTS_OF_ONE
# envsubst replaces the names that it is given, and leaves nginx's own variables alone.
names=$(env | sed -n 's/^\(NGINX_[A-Z0-9_]*\|MAX_[A-Z_]*\|PAGE_SECONDS\)=.*/$\1/p' | tr '\n' ' ')
for template in /etc/nginx/templates/*.template; do
    name=$(basename "$template" .template)
    envsubst "$names" < "$template" > "/run/nginx/$name"
done
