# shellcheck shell=bash
# Finds what uses a port of this machine, and this folder's project. Sourced by preflight.sh, trial.sh and folder.sh.

# The project's name as Compose determines it; fails if images cannot have that name.
project_name() { bash "$1/deploy/dotenv.sh" get COMPOSE_PROJECT_NAME; } # project_name ROOT

own_nginx_holds() { # own_nginx_holds PROJECT PORT
    [ -n "$(docker ps -q --filter "label=com.docker.compose.project=$1" \
        --filter label=com.docker.compose.service=nginx --filter "publish=$2")" ]
}

own_nginx_listens() { # own_nginx_listens PROJECT ADDRESS PORT
    docker ps --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.service=nginx --format '{{.Ports}}' |
        tr -d ' ' | tr ',' '\n' | awk -v start="$2:$3->" 'index($0, start) == 1 { found = 1 } END { exit !found }'
}

# Only Linux lists its addresses where every user may read them. On other systems, and for IPv6, accepts any address.
foreign() { # foreign ADDRESS: does it belong to another machine?
    local table=${ADDRESSES:-/proc/net/fib_trie}
    case $1 in 0.0.0.0 | 127.* | \[*) return 1 ;; esac
    [ -r "$table" ] && ! awk -v address="$1" '
        /32 host LOCAL/ && last == address { found = 1 }
        { last = $NF }
        END { exit !found }' "$table"
}

reachable() { # reachable ADDRESS: the address at which this machine reaches a listener there
    local address=${1#[}
    address=${address%]}
    case $address in '' | 0.0.0.0 | '*') address=127.0.0.1 ;; ::) address=::1 ;; esac
    echo "$address"
}

# Runs in the background with a time limit, because an address of another machine may never
# answer. Redirecting the subshell hides its error message.
within() { # within TENTHS-OF-A-SECOND COMMAND…
    local pid tries=$1
    ("${@:2}") 2>/dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        tries=$((tries - 1))
        if [ "$tries" = 0 ]; then kill "$pid" 2>/dev/null; fi
        sleep 0.1
    done
    wait "$pid" 2>/dev/null
}

answers() { # answers ADDRESS PORT
    within 10 connect "$(reachable "$1")" "$2"
}
connect() { exec 3<>"/dev/tcp/$1/$2"; }

# A connection alone proves little: the engine's proxy accepts it even if nothing listens behind it.
page_status() { # page_status ADDRESS PORT: the HTTP status of a page there; nothing without an answer
    within 50 ask_status "$(reachable "$1")" "$2"
}
ask_status() {
    local status
    connect "$1" "$2"
    printf 'GET /health/live HTTP/1.0\r\n\r\n' >&3
    read -r _ status _ <&3 && echo "$status"
}

# Prints nothing if the port is free. Looks for a container first, since the listener
# visible from outside is only the engine's proxy. For a specific address, the port must
# answer too: a container may have the same port of another address.
port_holder() { # port_holder ADDRESS PORT
    local container process busy=
    if answers "$1" "$2"; then busy=yes; fi
    case ${1#[} in '' | 0.0.0.0 | '::' | '::]') container=yes ;; *) container=$busy ;; esac
    [ -z "$container" ] || container=$(docker ps --filter "publish=$2" --format '{{.Names}} ({{.Image}})' | head -n 1)
    if [ -n "$container" ]; then
        echo "the container $container"
    elif [ -n "$busy" ]; then
        process=$({ lsof -nP -iTCP:"$2" -sTCP:LISTEN 2>/dev/null | awk 'NR == 2 { print $1 ", process " $2 }'; } || true)
        [ -n "$process" ] || process=$({ ss -Hltnp "sport = :$2" 2>/dev/null |
            sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1, process \2/p' | head -n 1; } || true)
        echo "${process:-a process that this user may not see}"
    fi
}

free_port() { # free_port ADDRESS PORT: the next higher port that is free
    local port=$2
    while [ "$port" -lt 65535 ]; do
        port=$((port + 1))
        if [ -z "$(port_holder "$1" "$port")" ]; then break; fi
    done
    echo "$port"
}
