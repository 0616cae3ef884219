"""SECURITY.md says what one client can take as the code has it."""

import re
from pathlib import Path

import yaml
from django.conf import settings

from app.servers import websocket
from MyChannels import connection, limits, room
from MyChannels.log import REF_SECONDS, stream

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "SECURITY.md").read_text().partition("## What one client can take")[2].partition("\n## ")[0]


def test_the_bounds_of_the_table_are_those_of_the_code() -> None:
    assert websocket.OUTGOING_BYTES == websocket.INCOMING_BYTES == 2**20
    assert "1 MiB each, `OUTGOING_BYTES`, `INCOMING_BYTES`" in TABLE
    assert limits.SHARE == 8
    assert TABLE.count("an eighth of") == 4
    assert connection.MOST_WAITING // connection.MOST_WAITING_OF_ROOM == 8
    assert f"{room.KEPT_MESSAGES:,} messages or {room.KEPT_CHARACTERS // 1024} Ki characters" in TABLE
    assert stream.READINGS == 4
    assert "four pages at once" in TABLE
    assert REF_SECONDS == 600
    assert "10 minutes" in TABLE
    assert stream.FULL == 0.8
    assert "four fifths" in TABLE


def test_every_setting_of_the_table_exists() -> None:
    compose = (ROOT / "compose.yaml").read_text()
    for name in re.findall(r"`([A-Z]+_[A-Z_]+)`", TABLE):
        assert hasattr(settings, name) or hasattr(websocket, name) or hasattr(connection, name) or name in compose


def test_the_log_of_every_container_is_bounded() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    for service in compose["services"].values():
        options = service["logging"]["options"]
        assert (options["max-size"], options["max-file"]) == ("10m", "3")
