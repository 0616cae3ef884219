"""docs/protocol.md says what the code says: types, fields, codes, bounds."""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NotRequired, get_args, get_origin, get_type_hints

import pytest
from django.conf import settings

from app import accounts
from MyChannels import messages, presence, writer
from MyChannels.consumers import room as room_consumer
from MyChannels.groups import ROOM_NAME_LENGTH, room_group
from MyChannels.limits import BURST_SECONDS, PATIENCE
from MyChannels.log import REF_SECONDS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
SERVER_OBJECTS: tuple[Any, ...] = get_args(messages.ServerObject)
CLIENT_OBJECTS: tuple[Any, ...] = get_args(messages.ClientObject)

Fields = tuple[set[str], set[str]]  # always there, sometimes


def section(title: str) -> str:
    """What stands under a heading, up to the next of any depth."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, f"expected a heading {title!r} in docs/protocol.md"
    return found[1]


def rows(title: str, first_column: str) -> Iterator[list[str]]:
    """The cells of the table whose first column is called so."""
    lines = iter(section(title).splitlines())
    assert any(line.startswith(f"| {first_column} |") for line in lines), f"expected a table of {first_column}"
    next(lines)  # | --- |
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def documented(title: str) -> dict[str, Fields]:
    return {
        kind: (set(named(fields)), set(named(sometimes)))
        for kinds, fields, sometimes, _ in rows(title, "`type`")
        for kind in named(kinds)
    }


def types_of(server_object: Any) -> tuple[str, ...]:
    return get_args(get_type_hints(server_object)["type"])


def fields_of(server_object: Any) -> Fields:
    hints = get_type_hints(server_object, include_extras=True)
    sometimes = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
    return hints.keys() - sometimes - {"type"}, sometimes


def test_documented_objects_of_the_server_are_those_of_the_code() -> None:
    assert documented("From the server") == {
        kind: fields_of(content) for content in SERVER_OBJECTS for kind in types_of(content)
    }


def test_documented_objects_of_a_client_are_those_of_the_code() -> None:
    def fields(client_object: Any) -> Fields:
        sometimes = {
            field.name for field in dataclasses.fields(client_object) if field.default is not dataclasses.MISSING
        }
        return {field.name for field in dataclasses.fields(client_object)} - sometimes, sometimes

    assert documented("From a client") == {content.__name__.lower(): fields(content) for content in CLIENT_OBJECTS}


@pytest.mark.parametrize("kind", sorted(documented("From a client")))
def test_documented_object_of_a_client_is_understood(kind: str) -> None:
    always, sometimes = documented("From a client")[kind]
    example = {"text": "hello", "ref": "r", "before": 7, "limit": 3}
    for names in (always, always | sometimes):
        fields = {name: example[name] for name in names}
        understood = messages.parse_v1(json.dumps({"type": kind, **fields}), 10)
        assert type(understood).__name__.lower() == kind
        assert {name: getattr(understood, name) for name in names} == fields


def test_types_that_a_client_is_told_to_expect_are_the_documented_ones() -> None:
    with pytest.raises(messages.Fault) as refused:
        messages.parse_v1('{"type": "other"}', 10)
    assert set(re.findall(r"\w+", refused.value.detail)) - {"expected", "or"} == documented("From a client").keys()


def test_documented_error_codes_are_those_of_the_code() -> None:
    assert get_origin(messages.ErrorCode) is Literal
    codes = [code for cells in rows("From the server", "`code` of an `error`") for code in named(cells[0])]
    assert codes == list(get_args(messages.ErrorCode))


def test_names_of_the_query_are_those_of_the_code() -> None:
    query = [name for cells in rows("Connecting", "name") for name in named(cells[0])]
    assert query == [field.name for field in dataclasses.fields(messages.Connect)]


def test_close_codes_of_the_code_are_documented() -> None:
    codes = {int(code) for cells in rows("Refusals", "answer") for code in re.findall(r"close (\d+)", cells[0])}
    ours = {room_consumer.MALFORMED, room_consumer.UNREADABLE, room_consumer.RATE_LIMITED, writer.TOO_SLOW}
    ours.add(accounts.LOGIN_ENDED)
    servers = {1007, 1009, 1012}  # app/servers/'s own, and the libraries' by RFC 6455
    assert codes == ours | servers


def test_a_login_is_looked_up_as_often_as_is_promised() -> None:
    seconds = re.search(r"Within (\d+) s, on every path and worker", section("Refusals"))
    assert seconds
    database: Any = settings.DATABASES["default"]
    assert 2 * accounts.ROUND_SECONDS + database["OPTIONS"]["timeout"] <= int(seconds[1])


def test_event_of_the_group_has_the_documented_keys() -> None:
    event = messages.Message(1, "Ada", "hello", 2, user=True).event("e")
    keys = re.search(r"carries extra keys for `chat\.v1`: (.*?)\. A member's", section("Speaking from Django"))
    assert keys
    assert set(named(re.sub(r"\(.*?\)", "", keys[1]))) == event.keys() - messages.event("").keys()
    assert f"`{room_group('<room>')}`" in section("Speaking from Django")


@pytest.mark.parametrize(
    "sentence", [messages.encode(messages.joined("<name>")), messages.encode(messages.said("<name>", "<text>"))]
)
def test_sentences_are_the_documented_ones(sentence: str) -> None:
    assert f"`{sentence.encode().decode('unicode_escape')}`" in section("The documented format")


def kibibytes(number: int) -> str:
    return f"{number // 1024} KiB" if number < 2**20 else f"{number // 2**20} MiB"


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Addresses", f"1 to {ROOM_NAME_LENGTH} letters"),
        ("chat.v1", "`\\n`"),
        ("Connecting", f"subprotocol `{messages.SUBPROTOCOL}`"),
        ("Connecting", f"1–{messages.LONGEST_NAME} code points"),
        ("Connecting", "16–64 characters `[A-Za-z0-9_-]`"),
        ("Connecting", "`epoch` is 1–64 characters `[A-Za-z0-9_-]`, `offset` a whole number from 0 to 2^53−1"),
        ("From the server", f"up to {messages.MOST_NAMES} names"),
        ("From the server", f"at most {room_consumer.MOST_MEMBERS:,} names"),
        ("From a client", f"1–{messages.LONGEST_REF} characters"),
        ("From a client", f"default {messages.HISTORY}, cut to {messages.MOST_HISTORY}"),
        ("From a client", "whole numbers from 1 to 2^53−1"),
        ("Refs", f"at least {REF_SECONDS // 60} minutes"),
        ("History", kibibytes(room_consumer.HISTORY_BYTES)),
        ("Members", f"{presence.GRACE_SECONDS:g} s after"),
        ("Refusals", f"up to {room_consumer.OPEN_SECONDS:g} s"),
        ("Refusals", f"more than {kibibytes(writer.OUTGOING_BYTES)}"),
        ("Refusals", f"`rate_limited` for {PATIENCE:g} s on end"),
    ],
)
def test_bound_is_the_codes(title: str, said: str) -> None:
    assert said in section(title)


def test_bounds_that_are_spelled_in_words_are_the_codes() -> None:
    assert BURST_SECONDS == 4
    assert "a burst of four times as many" in section("From the server")
    assert presence.CROWD_SECONDS == room_consumer.TYPING_SECONDS == 1
    assert "at most once a second" in section("Members")
    assert "at most once a second" in section("From a client")
    # The key's expiry, a heartbeat that looks, the grace, and telling.
    vanish = presence.ALIVE_SECONDS + presence.HEARTBEAT_SECONDS + presence.GRACE_SECONDS + 1
    assert vanish <= 30
    assert "within 30 s" in section("Members")
    assert messages.LARGEST_OFFSET == 2**53 - 1
    assert (messages.CLIENT.pattern, messages.SINCE.pattern) == (
        "[A-Za-z0-9_-]{16,64}",
        "([A-Za-z0-9_-]{1,64}):([0-9]{1,16})",
    )
