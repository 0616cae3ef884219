#!/bin/sh
# What a build needs before it serves. `try` takes the same steps without a database, so that deploy/trial.sh sees
# whether each can be taken.
set -eu
if [ "${1:-}" = try ]; then
    python manage.py migrate --help > /dev/null
    python services/migrate/marks.py --help > /dev/null
else
    python manage.py migrate --no-input
    python services/migrate/marks.py
fi
python services/migrate/publish.py
