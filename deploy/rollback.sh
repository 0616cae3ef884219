#!/usr/bin/env bash
# Replaces every web and WebSocket container by the previous build, in the same way as deploy.sh.
# If no complete stack runs, starts the previous build.
# The database is not changed: refuses if the previous build may not understand it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/rolling.sh
. deploy/lib/rolling.sh

# Asks the previous build, which refuses a database with unknown migrations, unless they are marked.
understood() {
    local refusal
    if [ "${COMPATIBLE:-}" = 1 ]; then
        docker compose run --rm --no-deps -T migrate python services/migrate/marks.py --unknown || return
    fi
    refusal=$(docker compose run --rm --no-deps -T migrate python manage.py check --database default 2>&1) ||
        fail "a refusal by the build before: $refusal" \
            "no migrations that it does not know, or such as say backward_compatible = True (docs/operations.md)" \
            "make deploy   of sources that undo them; or make rollback COMPATIBLE=1, if the build before can live with them"
}

begin rollback
[ -n "$sockets" ] || fail "a .env or compose.yaml that Compose does not read" "one that it does" "docker compose config"
bash deploy/secret-digests.sh
previous=$(image_id "$project-web:previous") ||
    fail "no image $project-web:previous" "the build that ran before this one" "make deploy   of older sources"
case $halfway in
deploy | up) ;; # undo it, even if the previous build still serves in part or alone
rollback) previous=$named ;; # continue the interrupted rollback
*) [ "$previous" != "$named" ] || ! whole || fail "the build before, running" "another one" "make deploy" ;;
esac
docker tag "$previous" "$project-web"
understood
if whole; then
    roll
else
    say "no whole stack runs: the build before is started in its place"
    compose_up --no-build
    stage='' # the previous build serves now
    rm -f "$REPLACING"
    docker compose exec -T nginx nginx-reload.sh > /dev/null ||
        fail "an nginx that does not load the configuration of the build before, above; it keeps the one it has" "it loaded" \
            "make up   of the sources that nginx's image is of"
fi
demand_readiness
settle
say "done: make rollback again returns; this folder still holds the sources of the other build, which make up and make deploy build"
