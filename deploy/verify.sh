#!/usr/bin/env bash
# Tests the running stack: opens sockets through nginx, sends a message on each, and shows that messages
# crossed from one worker to another. nginx's log names the worker of each socket.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

DEADLINE=10 # seconds for nginx's log to name every socket

fail() { printf 'verify: found:    %s\nverify: expected: %s\nverify: fix:      %s\n' "$@" >&2; exit 1; }

name_owner verify
containers=$(docker compose ps --quiet "$(bash deploy/websockets.sh)")
[ -n "$containers" ] || fail "no running worker" "a running stack" "make up"
# shellcheck disable=SC2086  # one argument each
workers=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}:8000 {{$.Name}}
{{end}}' $containers | sed 's| /| |; /^$/d')
count=$(wc -l <<< "$containers")
[ "$count" -ge 2 ] || fail "one worker" "two or more, between which a message can cross" "make scale N=2"

host=$(bash deploy/dotenv.sh get PUBLIC_URL)
# Each worker gets some sockets, since nginx chooses the worker with the fewest.
ids=$(docker compose exec -T web python deploy/verify.py "${host#*://}" $((count * 2)))

for ((end = SECONDS + DEADLINE; ; )); do
    log=$(docker compose logs --no-log-prefix --since 1m nginx)
    served=$(grep -F "$ids" <<< "$log" | sed -n 's/.*"worker":"\([^"]*\)".*/\1/p' || true)
    [ "$(grep -c . <<< "$served")" -lt "$(wc -l <<< "$ids")" ] || break
    [ "$SECONDS" -lt "$end" ] || fail "sockets that nginx's log does not name" "one line for each" "make logs S=nginx"
    sleep 0.2
done

names=$(while read -r address; do awk -v address="${address##* }" '$1 == address { print $2 }' <<< "$workers"; done <<< "$served")
sort <<< "$names" | uniq -c | awk '{ print "verify: " $2 " served " $1 " socket(s)" }'
[ "$(sort -u <<< "$names" | wc -l)" -ge 2 ] ||
    fail "all sockets on one worker" "two workers at least" "make logs S=nginx; make ps"
echo "verify: every message reached every socket, across workers"
