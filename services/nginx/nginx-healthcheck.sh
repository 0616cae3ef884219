#!/bin/sh
# Until a page's worker has answered through nginx once, this checks readiness. From then on it checks only whether
# nginx itself answers, because an outage behind it must not make it unhealthy. The mark is in a tmpfs.
set -eu

mark=/run/nginx/ready-once
if [ -e "$mark" ]; then path=/live; else path=/ready; fi
curl --noproxy '*' --fail --silent --show-error --max-time 4 --output /dev/null "http://127.0.0.1:8081$path"
: > "$mark"
