#!/bin/sh
# Starts nginx with the configuration that was published last, or with one in another folder to try it.
set -eu

ln -s "${CONFIGURATION:-/srv/nginx/current}" /run/nginx/configuration  # /etc/nginx is a link to this
nginx-environment.sh

# nginx ends each error line about a request with the request line and the Referer, whose queries may contain tokens.
# This cuts them off but keeps the worker's address; the access log has the rest. nginx would wait for a pipe without a
# reader, so the loop keeps it open in both directions. sed -u would read byte by byte.
mkfifo -m 0600 /run/nginx/errors
while :; do
    stdbuf -oL sed -E 's/, request: ".*, (upstream: "https?:\/\/[][0-9a-fA-F.:]+).*/, \1"/; s/, (request|host|referrer): ".*//' || true
    sleep 1
done <> /run/nginx/errors >&2 &
exec "$@"
