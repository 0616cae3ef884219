"""When two origins are one."""

import pytest

from app.origins import OwnOrigins, normal


@pytest.mark.parametrize(
    ("origin", "parts"),
    [
        ("https://chat.example", ("https", "chat.example", 443)),
        ("WSS://Chat.Example.:443", ("https", "chat.example", 443)),
        ("ws://[::1]:8080", ("http", "::1", 8080)),
        ("capacitor://localhost", ("capacitor", "localhost", None)),
        ("tauri://localhost:1430", ("tauri", "localhost", 1430)),
        ("moz-extension://5e1d5a3c-0b8a-4a0a-8d6f-0d2f6a1c9b77", None),
    ],
)
def test_an_origin_has_one_form(origin: str, parts: tuple[str, str, int | None] | None) -> None:
    assert normal(origin) == (parts or ("moz-extension", "5e1d5a3c-0b8a-4a0a-8d6f-0d2f6a1c9b77", None))


@pytest.mark.parametrize(
    "origin", ["null", "", "localhost", "//localhost", "file://", "https://", "http://[", "https://b\xfccher.example"]
)
def test_what_has_no_scheme_or_no_host_is_no_origin(origin: str) -> None:
    assert normal(origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://chat.example/",
        "https://chat.example/room",
        "https://chat.example?a",
        "https://chat.example#a",
        "https://ada@chat.example",
        "https://@chat.example",
        " https://chat.example",
        "https://chat\t.example",
        "https://chat.example\n",
    ],
)
def test_what_has_more_than_scheme_host_and_port_is_no_origin(origin: str) -> None:
    assert normal(origin) is None


def test_no_origin_is_never_equal_to_another() -> None:
    assert not OwnOrigins(["null"]).include("null", "null")
