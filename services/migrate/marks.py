"""Records the migrations that the previous build can run with, for its check app.E003 (app/checks.py).

These are the migrations with `backward_compatible = True`. --unknown adds all migrations of the database that this
build does not know, because an operator has declared them compatible.
"""

import argparse
import sys

import django


def main(unknown: bool) -> None:
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.recorder import MigrationRecorder

    from app.checks import COMPATIBLE, compatible_migrations, unknown_migrations

    disk = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    marked = {f"{app}.{name}" for (app, name), found in disk.items() if getattr(found, "backward_compatible", False)}
    if unknown:
        marked.update(unknown_migrations(MigrationRecorder(connection).applied_migrations()))
    COMPATIBLE.write_text("".join(f"{name}\n" for name in sorted(marked | compatible_migrations())))


if __name__ == "__main__":
    sys.path.insert(0, ".")
    django.setup()
    parser = argparse.ArgumentParser()
    parser.add_argument("--unknown", action="store_true")
    main(parser.parse_args().unknown)
