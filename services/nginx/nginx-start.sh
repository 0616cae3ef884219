#!/bin/sh
# Becomes nginx, with the configuration that was published last, or with another folder's to try it.
set -eu

ln -s "${CONFIGURATION:-/srv/nginx/current}" /run/nginx/configuration  # which /etc/nginx is a link to
nginx-environment.sh
exec "$@"
