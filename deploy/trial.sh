#!/usr/bin/env bash
# Starts trial copies of the services that are about to be replaced, beside the running ones: with the real images,
# settings, users and limits, but separate data and no network (trial.py lists what is left out). Each must pass its own
# health check. Does nothing if there is nothing to replace or nothing has changed.
#
#   deploy/trial.sh [COMMAND]     the prefix of its messages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/images.sh
. deploy/lib/images.sh
# shellcheck source=deploy/lib/port.sh
. deploy/lib/port.sh
# shellcheck source=deploy/lib/unwell.sh
. deploy/lib/unwell.sh
# shellcheck source=deploy/lib/wanted.sh
. deploy/lib/wanted.sh

command=${1:-up}
DEADLINE=${HEALTHY_SECONDS:-120} # seconds for all services together
LABEL=channels.trial

project=$(project_name .)
[ -n "$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project")" ] || exit 0
learn_hashes

# nginx reads the configuration that `migrate` publishes, which is in the image of `web`.
services=''
for service in redis web "$(bash deploy/websockets.sh)" migrate nginx; do
    if ! grep -q "^$service " <<< "$hashes" || settled "$project" "$service"; then continue; fi
    services="$services $service"
done
[ -n "$services" ] || exit 0
case $services in *' migrate'* | *' nginx'*) services="${services// migrate/}" services="${services// nginx/} migrate nginx" ;; esac

name=$project-trial-$$-$RANDOM
folder=$(mktemp -d .state/trial.XXXXXX)
clear() { # removes this trial and killed earlier ones
    local found
    rm -rf .state/trial.* # safe, since the calling command holds the lock
    found=$(docker ps --all --quiet --filter "label=$LABEL=$project") || return
    # shellcheck disable=SC2086  # one argument each
    [ -z "$found" ] || docker rm --force --volumes $found > /dev/null 2>&1 || true
    found=$(docker volume ls --quiet --filter "label=$LABEL=$project") || return
    # shellcheck disable=SC2086
    [ -z "$found" ] || docker volume rm --force $found > /dev/null 2>&1 || true
}
trap clear EXIT
trap 'exit 130' INT TERM HUP PIPE

of() { docker ps --all --quiet --filter "label=com.docker.compose.project=$name" --filter "label=com.docker.compose.service=$1"; }

refused() { # refused SERVICE FOUND, with the output about it on standard input
    { printf '%s: %s, tried with these settings:\n' "$command" "$1" && excerpt; } >&2
    printf "$command: found:    %s\n$command: expected: %s\n$command: fix:      %s\n$command: nothing was replaced\n" \
        "$2" "$1, started beside what runs, passes its own health check" "what it says above; then make $command" >&2
    exit 1
}

KILLED=9 # exit status of `health`: waiting longer is useless
health() { # health CONTAINER: its own check, as if it had been ready before: a trial lacks what readiness needs
    local kind word
    local -a check=()
    kind=$(docker inspect --format '{{with .Config.Healthcheck}}{{with .Test}}{{index . 0}}{{end}}{{end}}' "$1") || return
    case $kind in
    '' | NONE) check=(true) ;;
    *)
        # macOS's bash has no mapfile.
        while IFS= read -r -d '' word; do check+=("$word"); done < \
            <(docker inspect --format '{{range slice .Config.Healthcheck.Test 1}}{{printf "%s\x00" .}}{{end}}' "$1")
        [ "${#check[@]}" -gt 0 ] || return
        [ "$kind" != CMD-SHELL ] || check=(sh -c "${check[@]}")
        ;;
    esac
    # shellcheck disable=SC2016  # the container's shell replaces them
    docker exec "$1" timeout 10 sh -c '
        killed=$(cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2> /dev/null | sed -n "s/^oom_kill //p")
        [ "${killed:-0}" = 0 ] || { echo "$killed of its processes were killed for lack of memory"; exit '$KILLED'; }
        if [ -n "${WEB_CONCURRENCY:-}" ]; then
            booted=$(ls /tmp/booted 2> /dev/null | wc -l)
            [ "$booted" -eq "$WEB_CONCURRENCY" ] || { echo "$booted of $WEB_CONCURRENCY workers have loaded the application"; exit 1; }
        fi
        touch /tmp/ready-once /run/nginx/ready-once 2> /dev/null
        "$@" || exit 1' sh "${check[@]}" 2>&1
}

published=$(docker inspect --format '{{json .HostConfig.PortBindings}}' "$(containers_of "$project" nginx | head -n 1)" 2> /dev/null) || published={}
# shellcheck disable=SC2086  # one argument each
docker compose config --format json |
    docker run --rm --interactive --network none --read-only "$project-web" python -m deploy.trial "$name" "$published" $services > "$folder/compose.json"
if ! output=$(docker compose --progress quiet --project-name "$name" --project-directory . --file "$folder/compose.json" up --detach 2>&1); then
    for service in $services port; do
        id=$(of "$service")
        [ -n "$id" ] && [ "$(docker inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$id")" != "running 0" ] || continue
        [ "$(docker inspect --format '{{.State.ExitCode}}' "$id")" != 0 ] || continue
        [ "$service" != port ] || refused nginx "an address and port that the engine cannot give" <<< "$output"
        { echo "$output"; docker logs "$id" 2>&1; } | refused "$service" "$service that cannot be started"
    done
    refused "${services# }" "services that cannot be started" <<< "$output"
fi
end=$((SECONDS + DEADLINE))
for service in $services; do
    [ "$service" != migrate ] || continue # it has succeeded, otherwise `up` would have failed
    id=$(of "$service")
    [ -n "$id" ] || refused "$service" "no container of it" <<< "$output"
    until said=$(health "$id"); do
        [ $? != "$KILLED" ] || { docker logs "$id" 2>&1; echo "health check: $said"; } | refused "$service" "$service: $said"
        state=$(docker inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$id")
        found=
        [ "${state% *}" = running ] || found="$service that has ended with ${state#* }"
        [ "$SECONDS" -lt "$end" ] || found="$service that is not healthy after $DEADLINE s"
        [ -z "$found" ] || { docker logs "$id" 2>&1; echo "health check: $said"; } | refused "$service" "$found"
        sleep 0.3
    done
done
