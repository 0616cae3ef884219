"""`manage.py runserver`, the server of `make dev`: Daphne's own command with our server."""

from daphne.management.commands.runserver import Command as DaphneCommand

from app.servers.daphne import Server


class Command(DaphneCommand):
    server_cls = Server
