#!/usr/bin/env bash
# Copies this machine's pip.conf (for a mirror) and its CA certificates (for a proxy that inspects TLS) into
# .state/ for builds. Writes empty files if there are none.
set -euo pipefail
umask 077 # a mirror's address may hold a password
cd "$(dirname "${BASH_SOURCE[0]}")/.."

copy_first() { # copy_first COPY FILE…: copies the first existing FILE; atomically, since a build may be reading COPY
    local copy=$1 file
    shift
    for file in "$@" /dev/null; do
        if [ -f "$file" ] || [ "$file" = /dev/null ]; then cat "$file" > "$copy.$$" && mv "$copy.$$" "$copy" && return; fi
    done
}

mkdir -p .state
copy_first .state/ca-bundle.pem "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt
copy_first .state/pip.conf "${PIP_CONFIG_FILE:-}" "${HOME:-}/.config/pip/pip.conf" "${HOME:-}/.pip/pip.conf" /etc/pip.conf
