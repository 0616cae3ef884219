#!/usr/bin/env bash
# Measures our room beside its peers, in containers of their own: tests/bench.sh; or records a worker of ours as a flame
# graph: tests/bench.sh flame. Told by the environment:
#
#   QUICK=1                     one short round of little
#   SCENARIO= SYSTEM= WAY=      some of them, separated by commas; a wrong name prints the right ones
#   ROUNDS= WINDOW=             how often; seconds of each measured window (`make bench SECONDS=`)
#   TARGETS=1                   exit 1 if a target is missed
#   CENTRIFUGO=                 its binary or its image; by default the official image
#   TO=                         the flame graph's file, in the place of one under reports/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

bash deploy/engine.sh
bash deploy/build-settings.sh
install --directory --mode 0700 .state/bench
for name in secret_key redis_password; do
    [ -s ".state/bench/$name" ] || head -c 48 /dev/urandom | base64 | tr -d '\n=+/' > ".state/bench/$name"
    chmod 0444 ".state/bench/$name"
done

images=$(bash deploy/base-images.sh --print)
while read -r line; do export "${line?}"; done <<< "$images"
# One name for each clone, so that two can measure, if not at the same time.
COMPOSE_PROJECT_NAME=channels-bench-$(sha256sum <<< "$root" | cut -c 1-8)
# A test image that somebody else builds meanwhile must not change the generator.
export COMPOSE_PROJECT_NAME TESTS_IMAGE=$COMPOSE_PROJECT_NAME-tests

remove() {
    local label=label=com.docker.compose.project=$COMPOSE_PROJECT_NAME
    docker ps --all --quiet --filter "$label" | xargs --no-run-if-empty docker rm --force --volumes > /dev/null
    docker volume ls --quiet --filter "$label" | xargs --no-run-if-empty docker volume rm > /dev/null
    docker network ls --quiet --filter "$label" | xargs --no-run-if-empty docker network rm > /dev/null
}
trap remove EXIT
remove

say() { printf 'bench: %s\n' "$@" >&2; }
build() { # build SERVICE…: what cannot be built is not measured
    local service
    for service; do
        if PUBLIC_URL=http://nginx:8080 docker compose --file tests/bench/compose.yaml --env-file /dev/null \
            build --quiet "$service" > .state/bench/build.log 2>&1; then continue; fi
        tail -n 20 .state/bench/build.log >&2
        case $service in
        redis | web | nginx) exit 1 ;;
        *) absent "$service" "its image could not be built" ;;
        esac
    done
}
given=()
absent() { given+=("ABSENT_$1=$2"); } # absent SERVICE REASON

say "builds what is not built yet"
bash tests/image.sh true
build redis web nginx
if [ "${1:-}" != flame ]; then
    build socketio nchan
    [ -f deploy/uvicorn.yaml ] || absent uvicorn "this tree has no deploy/uvicorn.yaml"
    centrifugo=${CENTRIFUGO:-centrifugo/centrifugo:v6.9.1}
    image=$COMPOSE_PROJECT_NAME-centrifugo
    if [ -f "$centrifugo" ]; then
        docker buildx build --quiet --load --tag "$image" --file - "$(dirname "$centrifugo")" > /dev/null <<DOCKERFILE
FROM $PYTHON_IMAGE
COPY $(basename "$centrifugo") /usr/local/bin/centrifugo
DOCKERFILE
    elif docker image inspect "$centrifugo" > /dev/null 2>&1 || docker pull --quiet "$centrifugo" > /dev/null 2>&1; then
        docker tag "$centrifugo" "$image"
    else
        absent centrifugo "neither a file nor an image that can be pulled: $centrifugo; CENTRIFUGO= names one"
    fi
fi

for name in COMPOSE_PROJECT_NAME TESTS_IMAGE QUICK SCENARIO SYSTEM WAY ROUNDS WINDOW TARGETS TO; do
    [ -z "${!name:-}" ] || given+=("$name=${!name}")
done
commit=$(git describe --always --dirty 2>/dev/null) || commit=unknown
bash tests/image.sh env "${given[@]}" \
    RESULT_COMMIT="$commit" RESULT_COMMAND="${RESULT_COMMAND:-tests/bench.sh}" python -m "tests.bench${1:+.$1}"
