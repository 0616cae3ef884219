#!/bin/sh
# nginx is ready when a page's worker answers through it, and from then on alive when it answers itself:
# an outage behind it must not make it unhealthy. The mark lies in a tmpfs.
set -eu

mark=/run/nginx/ready-once
if [ -e "$mark" ]; then path=/live; else path=/ready; fi
curl --noproxy '*' --fail --silent --show-error --max-time 4 --output /dev/null "http://127.0.0.1:8081$path"
: > "$mark"
