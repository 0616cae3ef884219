#!/usr/bin/env bash
# Replaces the present data by a backup's, after a backup of the present data. Asks first, unless YES=1. Then starts
# the stack, with every room in a new epoch. If there is no stack, builds one.
#
#   deploy/restore.sh FILE
#
# KEEP=0 continues even if the present data are too damaged for a full backup, and keeps the undamaged parts.
# The restore itself works even if Redis does not start and the database cannot be read.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/images.sh
. deploy/lib/images.sh
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh
# shellcheck source=deploy/lib/unwell.sh
. deploy/lib/unwell.sh
# shellcheck source=deploy/lib/wanted.sh
. deploy/lib/wanted.sh

fail() { refuse restore "$@"; } # fail FOUND EXPECTED FIX

file=${1:-}
[ -n "$file" ] || fail "no file" "the backup to restore" "make restore F=backups/<name>.tar.gz   (ls -t backups/)"
[ -f "$file" ] && [ -r "$file" ] || fail "no file $file that $(id -un) may read" "a backup" "ls -t backups/"
# Rejects other files before anything is built. The built image checks the contents.
output=$(gzip -t "$file" 2>&1) || fail "no backup, or a damaged one (${output//$'\n'/ })" "a file that make backup wrote" "another one: ls -t backups/"

lock restore
bash deploy/engine.sh # Compose is needed to read the variables, such as the project's name
own restore
project=$(bash deploy/dotenv.sh get COMPOSE_PROJECT_NAME channels)
volumes=$(docker volume ls --quiet --filter "label=com.docker.compose.project=$project" 2> /dev/null) || volumes=
before=$(served_image "$project" 2> /dev/null) || before=
over=
[ "${KEEP:-1}" != 0 ] || over=over

answered=${YES:-}
ask() {
    [ -n "$volumes" ] && [ "$answered" != 1 ] || return 0
    echo "restore: replaces the present data of project '$project' (database, room logs)."
    [ -t 0 ] || { echo "restore: expected an answer, and there is no terminal; say it with: make restore F=$file YES=1" >&2; exit 1; }
    read -r -p "restore: type the project's name to go on: " answer
    [ "$answer" = "$project" ] || { echo "restore: nothing was replaced"; exit 1; }
    answered=1
}
# A volume whose folder is gone from the engine's disk is empty, and containers with it cannot start.
make_again_if_lost() { # make_again_if_lost VOLUME
    local said
    grep -qx "$1" <<< "$volumes" && image_id "$project-web" > /dev/null || return 0
    said=$(docker run --rm --network none --volume "$1:/srv/data" --entrypoint true "$project-web" 2>&1) && return
    case $said in *"/$1/_data"*"no such file or directory"*) ;; *) return 0 ;; esac
    [ -n "$over" ] || fail "the volume $1, which the engine cannot mount: $said" "one whose data can be kept" "make restore F=$file KEEP=0"
    ask
    echo "restore: the volume $1 is made again; the engine cannot mount it: $said" >&2
    docker compose --progress quiet down
    docker volume rm --force "$1" > /dev/null
}
make_again_if_lost "${project}_data"
make_again_if_lost "${project}_redis"

# No impact on the running stack yet.
bash deploy/prepare.sh restore
tool() { # tool COMMAND…: passes the file on standard input, since the container may not read it
    docker compose --progress quiet run --rm --no-deps -T --volume /srv/scratch migrate "$@" < "$file"
}
# shellcheck disable=SC2086  # none, or one
tool python -m deploy.backup check $over || { echo "restore: nothing was replaced" >&2; exit 1; }
ask
own_again restore

# Impact on the running stack begins.
# Also stops restarting containers, which might start during the restore, and paused ones.
serving=$(docker compose ps --services --status running --status restarting --status paused | grep -vx -e redis -e '' | tr '\n' ' ') || serving=
copy='' replacing='' sick=''
finish() {
    [ $? != 0 ] || return 0
    trap '' HUP INT PIPE TERM
    set +e
    if [ -z "$replacing" ]; then
        echo "restore: nothing was replaced" >&2
        # shellcheck disable=SC2086  # one argument each
        [ -z "$serving" ] || docker compose --progress quiet up --detach --wait --no-deps --no-recreate $serving
        [ -z "$sick" ] || docker compose --progress quiet up --detach --no-deps --no-recreate redis
    else
        echo "restore: not finished: the data may be half replaced, and the stack is stopped. Do it again with" >&2
        echo "restore:   make restore F=$file KEEP=0" >&2
        [ -z "$copy" ] || printf 'restore: or get back the data of before with\nrestore:   make restore F=%s KEEP=0\n' "$copy" >&2
    fi
    unlock
}
trap finish EXIT
# Without these traps, bash exits with success when the terminal is lost.
trap 'exit 129' HUP
trap 'exit 130' INT TERM
trap 'exit 141' PIPE

as_root() { # as_root SERVICE SCRIPT: runs it on the service's volume, with capabilities that the service itself drops
    docker compose --progress quiet run --rm --no-deps -T --user 0:0 --cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER \
        --entrypoint sh "$1" -euc "$2" 2>&1
}
start_redis() { docker compose --progress quiet up --detach --wait --no-deps ${moved:+--force-recreate} redis 2>&1; }

readable() { # makes the files readable for the services
    as_root migrate 'chown -R 10001:10001 data; chmod -R u+rwX data' >&2
    as_root redis 'chown -R 999:999 /data; chmod -R u+rwX /data' >&2
}

keep() { # backs up the present data, or with KEEP=0 the undamaged parts
    local name how=create
    name=backups/$project-$(date -u +%Y%m%dT%H%M%SZ)-before-restore
    [ "${KEEP:-1}" != 0 ] || how=keep
    if bash deploy/backup.sh "$name.tar.gz" "$how"; then
        for copy in "$name.in-part.tar.gz" "$name.tar.gz"; do [ ! -f "$copy" ] || break; done
    elif [ "${KEEP:-1}" = 0 ]; then
        copy=
        echo "restore: the present data could not be kept" >&2
    else
        copy=
        echo "restore: the present data could not be kept, at least in part; to keep what is sound, and go on: make restore F=$file KEEP=0" >&2
        exit 1
    fi
}

# Stops all services except Redis, including overlays': a process that served a room could continue its old epoch.
if [ -n "$serving" ]; then
    echo "restore: stopping $serving"
    # shellcheck disable=SC2086  # one argument each
    docker compose --progress quiet stop $serving
fi
claim "$project"
if [ -n "$volumes" ]; then
    # A Redis that keeps restarting gets a fresh start.
    if [ -n "$(containers_of "$project" redis --all --filter status=running --filter status=restarting)" ] &&
        [ -z "$(containers_of "$project" redis --filter health=healthy)" ]; then
        sick=yes
        docker compose --progress quiet stop redis
    fi
    readable
    keep
fi
replacing=yes
remember "$project" "$before"
docker compose --progress quiet stop redis
said=$(as_root redis 'find /data -mindepth 1 -delete') || fail "files of Redis that cannot be removed: $said" "an empty volume" "make doctor"
said=$(start_redis) || fail "a Redis that does not start without data either: $said" "a healthy one" "make logs S=redis"
# shellcheck disable=SC2086
tool flock --timeout 60 data/migrate.lock python -m deploy.backup restore $over
trap unlock EXIT
back=${copy:+The data of before are in $copy.}
[ "${copy%.in-part.tar.gz}" = "$copy" ] || back="What was sound of the data of before is in $copy."
docker compose --progress quiet up --detach --wait ${moved:+--force-recreate} || {
    docker compose ps --all >&2
    # shellcheck disable=SC2046  # one argument each
    say_why restore $(unwell "$project")
    echo "restore: the data are those of $file, but not every service is healthy: what the logs above name; then make up. $back" >&2
    exit 1
}
settle
rm -f .state/replacing # .env's numbers apply again, not those of an interrupted deployment
echo "restore: done; every room has begun a new epoch. $back $(bash deploy/dotenv.sh get PUBLIC_URL)/ is open."
