#!/usr/bin/env bash
# Replaces every web and WebSocket container by the build that ran before, in the same way as deploy.sh.
# The database stays as it is: refuses if the build before may not understand it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/rolling.sh
. deploy/lib/rolling.sh

# By the build before, which refuses a database with migrations that it does not know, unless they are marked.
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
previous=$(image_id "$project-web:previous") ||
    fail "no image $project-web:previous" "the build that ran before this one" "make deploy   of older sources"
case $halfway in
deploy) ;; # undone, also where the build before still serves in part, or alone
rollback) previous=$named ;; # goes on to where it was going
*) [ "$previous" != "$named" ] || fail "the build before, running" "another one" "make deploy" ;;
esac
docker tag "$previous" "$project-web"
understood
roll
say "done: make rollback again returns; this folder still holds the sources of the other build, which make up and make deploy build"
