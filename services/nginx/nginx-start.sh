#!/bin/sh
# Becomes nginx, with the configuration that was published last, or with another folder's to try it.
set -eu

ln -s "${CONFIGURATION:-/srv/nginx/current}" /run/nginx/configuration  # which /etc/nginx is a link to
nginx-environment.sh

# What nginx has to say of a request it ends with the request: a query, a Referer, and the tokens in them. That is cut
# off here. The address of the worker stays; the access log has the rest. Opened for both directions, the pipe is never
# without a reader.
mkfifo -m 0600 /run/nginx/errors
sed -uE 's/, request: ".*, (upstream: "https?:\/\/[][0-9a-fA-F.:]+).*/, \1"/; s/, (request|host|referrer): ".*//' <> /run/nginx/errors >&2 &
exec "$@"
