#!/bin/sh
# Prepares what a build needs before it serves. `try` runs the same commands without a database, so that deploy/trial.sh
# finds out whether each of them works.
set -eu
if [ "${1:-}" = try ]; then
    python manage.py migrate --help > /dev/null
    python services/migrate/marks.py --help > /dev/null
else
    python manage.py migrate --no-input
    python services/migrate/marks.py
fi
python services/migrate/publish.py
