#!/bin/sh
# Becomes nginx, with the configuration that was published last, or with another folder's to try it.
set -eu

ln -s "${CONFIGURATION:-/srv/nginx/current}" /run/nginx/configuration  # which /etc/nginx is a link to
nginx-environment.sh

# nginx ends each line about a request with the request line and the Referer, whose queries may hold tokens. That is cut
# off here. The address of the worker stays; the access log has the rest. nginx would wait for a pipe without a reader,
# so the loop holds it open in both directions. sed -u would read byte by byte.
mkfifo -m 0600 /run/nginx/errors
while :; do
    stdbuf -oL sed -E 's/, request: ".*, (upstream: "https?:\/\/[][0-9a-fA-F.:]+).*/, \1"/; s/, (request|host|referrer): ".*//' || true
    sleep 1
done <> /run/nginx/errors >&2 &
exec "$@"
