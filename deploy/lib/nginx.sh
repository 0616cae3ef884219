# shellcheck shell=bash
# Tests this folder's nginx configuration in nginx's image. The files are passed on standard input: a mount would need
# files that nginx's user may read, an engine that sees this folder, and a path without a colon.

# Arguments of `docker compose run --rm --no-deps -T`, followed by the command to run there: nginx -t.
# shellcheck disable=SC2016,SC2034  # for the shell in the container; used by the scripts that source this file
NGINX_TRIAL=(
    --env CONFIGURATION=/run/nginx/tried --entrypoint sh nginx
    -euc 'mkdir "$CONFIGURATION"; tar -xf - -C "$CONFIGURATION"; exec nginx-start.sh "$@"' sh
)
pack_nginx() { COPYFILE_DISABLE=1 tar -cf - -C nginx .; } # without macOS' files of attributes
