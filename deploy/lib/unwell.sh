# shellcheck shell=bash
# Shows why containers do not become healthy. Sourced by the scripts that start containers.

# The reason may come first: if two workers fail to load at once, gunicorn's own traceback of 40 lines follows.
excerpt() { # the first and the last 40 lines of standard input, without blank ones
    awk -v most=40 '
        NF && ++n <= most { print "  " $0 }
        NF && n > most { last[n % most] = "  " $0 }
        END {
            if (n > 2 * most) print "  ..."
            for (i = n > 2 * most ? n - most + 1 : most + 1; i <= n; i++) print last[i % most]
        }'
}

reason() { # of a log on standard input: Python's last exception, even if other output follows it, or the last line
    awk '{ last = $0 } /^[A-Za-z_.]*(Error|Exception)(:|$)/ { exception = $0 } END { print exception ? exception : last }'
}

say_why() { # say_why COMMAND CONTAINER…: the last output of each one's health check, and its log
    local id
    for id in "${@:2}"; do
        printf '%s: %s: its health check and its log:\n' "$1" "$(docker inspect --format '{{slice .Name 1}}' "$id")"
        docker inspect --format '{{with .State.Health}}{{range .Log}}{{.Output}}{{end}}{{end}}' "$id" | sed '/^$/d' | tail -n 3 | sed 's/^/  /'
        docker logs "$id" 2>&1 | excerpt
    done >&2
}

unwell() { # unwell PROJECT: its unhealthy or failed containers
    local id service others='' nginx=''
    while read -r id service; do
        case $(docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{with .State.Health}}{{.Status}}{{end}}' "$id") in
        'running 0 healthy' | 'running 0 ' | 'exited 0 '* | 'created 0 '*) ;; # a created one waits for another
        *) if [ "$service" = nginx ]; then nginx=$id; else others="$others $id"; fi ;;
        esac
    done < <(docker ps --all --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.oneoff=False \
        --format '{{.ID}} {{.Label "com.docker.compose.service"}}')
    echo "${others:-$nginx}" # nginx is unhealthy until a page is ready: its log does not explain faults of others
}
