#!/bin/sh
# Fills in nginx's one template from the environment.
set -eu

list() { echo "$1" | tr -d ' ' | tr ',' '\n' | sed '/^$/d'; }

# Engines put their name server in /etc/resolv.conf, and not all at the same address.
NGINX_RESOLVERS=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2 }' /etc/resolv.conf | tr '\n' ' ')
[ -n "$NGINX_RESOLVERS" ] || { echo "nginx: expected a nameserver in /etc/resolv.conf, found none" >&2; exit 1; }

# `*` is Django's word for any host. nginx wants none twice, nor example.com beside .example.com.
NGINX_OWN_HOSTS=$(list "$ALLOWED_HOSTS" | tr '[:upper:]' '[:lower:]' | LC_ALL=C sort -u |
    awk '{ given[$0] = 1 } END { for (host in given) if (!(("." host) in given)) print host }' | sed 's/^\*$/~./; s/$/ 1;/')
NGINX_ADMIN_NETWORKS=$(list "$ADMIN_NETWORKS" | sort -u | sed 's/$/ 1;/')
NGINX_PUBLIC_SCHEME=${PUBLIC_URL%%://*}
NGINX_READ_TIMEOUT=$((PING_SECONDS * 3))s
NGINX_WEBSOCKETS=$WEBSOCKETS
NGINX_CONFIGURATION=$(basename "$(readlink -f /etc/nginx)")

export NGINX_CONFIGURATION NGINX_RESOLVERS NGINX_OWN_HOSTS NGINX_ADMIN_NETWORKS NGINX_PUBLIC_SCHEME NGINX_READ_TIMEOUT \
    NGINX_WEBSOCKETS
# shellcheck disable=SC2016  # envsubst takes the names that it may replace, not their values
envsubst '$NGINX_CONFIGURATION $NGINX_RESOLVERS $NGINX_OWN_HOSTS $NGINX_ADMIN_NETWORKS $NGINX_PUBLIC_SCHEME $NGINX_READ_TIMEOUT $NGINX_WEBSOCKETS' \
    < /etc/nginx/templates/environment.conf.template > /run/nginx/environment.conf
