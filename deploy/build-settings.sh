#!/usr/bin/env bash
# Copies into .state/ what builds need to know of this machine: a mirror's pip.conf, and the
# certificates, among which a proxy that inspects TLS has its own. Empty files where there are none.
set -euo pipefail
umask 077 # a mirror's address may hold a password
cd "$(dirname "${BASH_SOURCE[0]}")/.."

copy_first() { # copy_first COPY FILE…: the first FILE that exists becomes COPY, which a build beside may be reading
    local copy=$1 file
    shift
    for file in "$@" /dev/null; do
        if [ -f "$file" ] || [ "$file" = /dev/null ]; then cat "$file" > "$copy.$$" && mv "$copy.$$" "$copy" && return; fi
    done
}

mkdir -p .state
copy_first .state/ca-bundle.pem "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt
copy_first .state/pip.conf "${PIP_CONFIG_FILE:-}" "${HOME:-}/.config/pip/pip.conf" "${HOME:-}/.pip/pip.conf" /etc/pip.conf
