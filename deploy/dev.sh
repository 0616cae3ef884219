#!/usr/bin/env bash
# Runs the rooms without Docker: one process that reloads, in-memory channel layer, SQLite under
# data/, packages in .venv/. For development only, since the layer does not reach other processes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "dev: found:    $(python3 --version 2>&1 || true)" >&2
    echo "dev: expected: Python 3.11 or newer, with venv" >&2
    echo "dev: fix:      install it (Debian, Ubuntu: apt-get install python3-venv), or use Docker: make up" >&2
    exit 1
fi

# Reinstalls when the lock file changes; compares it with the copy from the last installation.
if ! cmp -s requirements.lock .venv/requirements.lock; then
    echo "dev: installing the locked packages into .venv"
    "$python" -m venv --clear .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
    cp requirements.lock .venv/requirements.lock
fi

port=${PORT:-8000}
mkdir -p data .state
[ -s .state/dev-secret-key ] || (umask 077 && head -c 48 /dev/urandom | base64 > .state/dev-secret-key)
export DEBUG=true CHANNEL_LAYER=memory PUBLIC_URL="http://localhost:$port" SECRET_KEY_FILE=.state/dev-secret-key
.venv/bin/python manage.py migrate --verbosity 0
exec .venv/bin/python manage.py runserver "127.0.0.1:$port"
