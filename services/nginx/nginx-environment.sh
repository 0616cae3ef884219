#!/bin/sh
# Fills in nginx's templates from the environment.
set -eu

list() { echo "$1" | tr -d ' ' | tr ',' '\n' | sed '/^$/d'; }
between() { # between LEAST NUMBER MOST
    if [ "$2" -lt "$1" ]; then echo "$1"; elif [ "$2" -gt "$3" ]; then echo "$3"; else echo "$2"; fi
}

# The engine writes its name server into /etc/resolv.conf. Its address differs between engines.
NGINX_RESOLVERS=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2 }' /etc/resolv.conf | tr '\n' ' ')
[ -n "$NGINX_RESOLVERS" ] || { echo "nginx: expected a nameserver in /etc/resolv.conf, found none" >&2; exit 1; }

# In Django `*` means any host. nginx refuses duplicates, and example.com beside .example.com. Each host gets a leading
# backslash, because nginx has keywords there, such as `default`.
NGINX_OWN_HOSTS=$(list "$ALLOWED_HOSTS" | tr '[:upper:]' '[:lower:]' | LC_ALL=C sort -u |
    awk '{ given[$0] = 1 } END { for (host in given) if (!(("." host) in given)) print host }' | sed 's/^/\\/; s/^\\\*$/~./; s/$/ 1;/')

# Clients that the engine forwards arrive with the address of the network's gateway. These are all clients on this
# machine, IPv6 clients if the network has no IPv6, and on some engines every client.
gateways() {
    awk '$2 == "00000000" && $3 != "00000000" { print $3 }' /proc/net/route | while read -r hex; do # its bytes are reversed
        printf '%d.%d.%d.%d\n' "0x${hex#??????}" "0x$(echo "$hex" | cut -c 5-6)" "0x$(echo "$hex" | cut -c 3-4)" "0x${hex%??????}"
    done
    [ ! -e /proc/net/ipv6_route ] || awk '$1 $2 ~ /^0+$/ && $5 !~ /^0+$/ { print $5 }' /proc/net/ipv6_route | sed 's/..../&:/g; s/:$//'
}
# If both BIND_ADDRESS and the host of PUBLIC_URL are loopback, only clients on this machine come through the gateway. A
# public PUBLIC_URL means that a proxy on this machine forwards clients from anywhere. Then the gateway must be listed,
# by its address or as `gateway`, unless every address is listed.
is_loopback() {
    case $1 in
    localhost | ::1 | '[::1]') ;;
    127.*) case $1 in *[!0-9.]*) return 1 ;; esac ;;
    *) return 1 ;;
    esac
}
public_host() { echo "${PUBLIC_URL#*://}" | tr '[:upper:]' '[:lower:]' | sed -E 's/:[0-9]+$//; s/\.$//'; }
admin_networks() { # if a network is listed twice, in any spelling, nginx uses the last value: the operator's
    for gateway in $(gateways | sort -u); do
        if list "$ADMIN_NETWORKS" | grep -qx gateway; then
            echo "$gateway 1;"
        elif ! list "$ADMIN_NETWORKS" | grep -qxF -e "$gateway" -e "$gateway/32" -e 0.0.0.0/0 -e ::/0; then
            if ! { is_loopback "$BIND_ADDRESS" && is_loopback "$(public_host)"; }; then echo "$gateway 0;"; fi
        fi
    done
    list "$ADMIN_NETWORKS" | grep -vx gateway | sort -u | sed 's/$/ 1;/'
}
NGINX_ADMIN_NETWORKS=$(admin_networks | awk '!known[$1]++')
NGINX_PUBLIC_SCHEME=${PUBLIC_URL%%://*}
NGINX_WEBSOCKETS=$WEBSOCKETS
NGINX_CONFIGURATION=$(basename "$(readlink -f /etc/nginx)")

# A kernel without IPv6 cannot open an IPv6 socket.
NGINX_LISTEN_IPV6=''
[ ! -e /proc/net/if_inet6 ] || NGINX_LISTEN_IPV6='listen [::]:8080 ipv6only=on sndbuf=256k;'

# At least 6 s, because a handshake may wait 4 s for its room.
NGINX_SOCKET_SECONDS=$(between 6 $((PING_SECONDS * 3)) 10800)
# The templates of older builds use this, and `make rollback` publishes those. It is needed until no stack can roll back
# to such a build, and can be removed in the second release.
NGINX_READ_TIMEOUT=${NGINX_SOCKET_SECONDS}s
NGINX_STALL_SECONDS=$((STALL_SECONDS + 10))
# Another worker is tried only in the first half of the time, before a slow worker can time out.
NGINX_SOCKET_TRIES_MS=$(between 1 $((NGINX_SOCKET_SECONDS * 500)) 5000)
NGINX_PAGE_TRIES_MS=$(between 1 $((PAGE_SECONDS * 500)) 5000)

# At most 128 MiB of large bodies at once.
NGINX_HEAD_BYTES=$((MAX_HEADER_BYTES + 4096))
NGINX_LARGE_BODIES=$(between 16 $((134217728 / MAX_BODY_BYTES)) 128)
NGINX_LARGE_BODIES_OF_ONE=$((NGINX_LARGE_BODIES / 2))
NGINX_ZONES=$(cut -c 1-8 /proc/sys/kernel/random/uuid)  # a new name each time

# As many connections as fit into the container's memory (from cgroup v2 or v1) if each is at its largest. A request
# takes two connections, its head, 16 KiB of its body, 20 KiB of its response and 8 KiB of nginx's own data. The two
# processes take 32 MiB.
memory=$(cat /sys/fs/cgroup/memory.max 2> /dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2> /dev/null || echo max)
case $memory in max | ?????????????*) memory=1073741824 ;; esac
NGINX_CONNECTIONS=$(between 512 $(((memory - 33554432) / (NGINX_HEAD_BYTES + 45056))) 8192)
# Half of all requests: the two processes together handle as many requests as one has connections.
NGINX_REQUESTS_OF_ONE=$((NGINX_CONNECTIONS / 2))

export NGINX_CONFIGURATION NGINX_RESOLVERS NGINX_OWN_HOSTS NGINX_ADMIN_NETWORKS NGINX_PUBLIC_SCHEME NGINX_WEBSOCKETS \
    NGINX_LISTEN_IPV6 NGINX_SOCKET_SECONDS NGINX_STALL_SECONDS NGINX_READ_TIMEOUT NGINX_SOCKET_TRIES_MS NGINX_PAGE_TRIES_MS NGINX_HEAD_BYTES \
    NGINX_ZONES NGINX_LARGE_BODIES NGINX_LARGE_BODIES_OF_ONE NGINX_CONNECTIONS NGINX_REQUESTS_OF_ONE
# envsubst replaces only these names and leaves nginx's own variables alone.
names=$(env | sed -n 's/^\(NGINX_[A-Z0-9_]*\|MAX_[A-Z_]*\|PAGE_SECONDS\)=.*/$\1/p' | tr '\n' ' ')
for template in /etc/nginx/templates/*.template; do
    name=$(basename "$template" .template)
    envsubst "$names" < "$template" > "/run/nginx/$name"
done
