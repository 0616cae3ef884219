#!/bin/sh
# What a build needs before it serves.
set -eu
python manage.py migrate --no-input
python services/migrate/marks.py
python services/migrate/publish.py
