"""Writes down which migrations the build before can live with, where that build will look: app.E003 in app/checks.py.

Those that say `backward_compatible = True`; with --unknown all that the database has and this build does not know,
because somebody says so for them.
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
