"""`manage.py room_send ROOM TEXT`: sends TEXT to ROOM."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from MyChannels import rooms


class Command(BaseCommand):
    help = "Says TEXT in ROOM; every member on every worker gets it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("room", metavar="ROOM", help="the room's name, as in /chat/ROOM/")
        parser.add_argument("text", metavar="TEXT")
        parser.add_argument("--name", default="Server", help="who says it (default: %(default)s)")

    def handle(self, *args: Any, room: str, text: str, name: str, **options: Any) -> None:
        try:
            offset = rooms.send(room, text, name)
        except (ValueError, rooms.Unavailable) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"said in {room}: message {offset}")
