# shellcheck shell=bash
# Trying this folder's configuration of nginx in its image. It goes in by standard input: a mount would need files that
# nginx's user may read, an engine that sees this folder, and a path without a colon.

# What `docker compose run --rm --no-deps -T` is given, before what it should run there: nginx -t.
# shellcheck disable=SC2016,SC2034  # for the shell in the container; used by the scripts that source this file
NGINX_TRIAL=(
    --env CONFIGURATION=/run/nginx/tried --entrypoint sh nginx
    -euc 'mkdir "$CONFIGURATION"; tar -xf - -C "$CONFIGURATION"; exec nginx-start.sh "$@"' sh
)
pack_nginx() { COPYFILE_DISABLE=1 tar -cf - -C nginx .; } # on macOS without its files of attributes
