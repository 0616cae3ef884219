"""What a client says of itself in the address of a room's socket."""

from contextlib import suppress
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from MyChannels.messages import Connect, Malformed, guest_name, parse_query

CLIENT = "abcDEF_-01234567"


def shown(value: object) -> str:
    return ascii(value)[:50]


# ── Names ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("Ada", "Ada"),
        ("王小明", "王小明"),
        ("👩", "👩"),
        ("❤️", "❤️"),  # with its variation selector
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Ada\t\n", "Ada"),
        ("\u3000Ada\u00a0", "Ada"),
        ("Ａｄａ", "Ada"),
        ("ﬁ①", "fi1"),
        ("e\u0301", "é"),
        ("x" * 40, "x" * 40),
        ("👩" * 40, "👩" * 40),  # code points
        (" " + "x" * 40 + " ", "x" * 40),
        ("ﬁ" * 20, "fi" * 20),
        ("他说", "他说"),
        ("server", "server"),
        ("A Server", "A Server"),
        ("O'Neil <b>", "O'Neil <b>"),
    ],
    ids=shown,
)
def test_name_is_shown_in_one_form_and_trimmed(given_name: str, name: str) -> None:
    assert guest_name(given_name) == name


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "1 to 40 characters, received 0"),
        (" \t\u3000", "1 to 40 characters, received 0"),
        ("x" * 41, "1 to 40 characters, received 41"),
        ("👩" * 41, "1 to 40 characters, received 41"),
        ("ﬁ" * 21, "1 to 40 characters, received 42"),  # by what is shown
        *[
            (f"A{invisible}a", "invisible")
            for invisible in [
                *"\0\t\n\r\x0b\x0c\x1b\x7f\x85\x9f",  # controls
                *"\u2028\u2029",  # lines
                *"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",  # directions
                *"\u00ad\u200b\u200c\u200d\u2060\u2061\ufeff\u180e\u034f",  # zero-width
                *"\u115f\u1160\u3164\uffa0\u17b4\u17b5",  # letters that show nothing
                *"\ufff9\U000e0041",  # annotations, tags
                "\ud800",
            ]
        ],
        ("👩‍👧", "invisible"),  # the joiner
        ("他说:好", "server's sentences"),
        ("他说：好", "server's sentences"),  # a full-width colon
        ("说:", "server's sentences"),
        ("Server", "server's sentences"),
        ("Server: Ada", "server's sentences"),
        ("Servers", "server's sentences"),
        (" Server", "server's sentences"),
        ("Ｓｅｒｖｅｒ", "server's sentences"),
    ],
    ids=shown,
)
def test_name_that_could_pass_for_something_else_is_refused(name: str, told: str) -> None:
    with pytest.raises(Malformed, match=told):
        guest_name(name)


@given(st.text())
def test_accepted_name_is_accepted_again_unchanged(name: str) -> None:
    try:
        accepted = guest_name(name)
    except Malformed:
        return
    assert 1 <= len(accepted) <= 40
    assert guest_name(accepted) == accepted
    assert parse_query(urlencode({"name": accepted}).encode()) == Connect(name=accepted)


# ── Client and since ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("client", ["x" * 16, "x" * 64, CLIENT, "-" * 16, "0" * 20])
def test_client_is_16_to_64_letters_digits_and_lines(client: str) -> None:
    assert parse_query(f"client={client}".encode()) == Connect(client=client)


@pytest.mark.parametrize("client", ["", "x" * 15, "x" * 65, "x" * 15 + " ", "x" * 16 + "\n", "é" * 16, "x" * 15 + "."])
def test_any_other_client_is_refused(client: str) -> None:
    with pytest.raises(Malformed, match="expected client to be 16 to 64"):
        parse_query(urlencode({"client": client}).encode())


@pytest.mark.parametrize(
    ("since", "read"),
    [
        ("e:0", ("e", 0)),
        ("e:7", ("e", 7)),
        ("e:007", ("e", 7)),
        ("a_-B9:1", ("a_-B9", 1)),
        ("e" * 64 + ":1", ("e" * 64, 1)),
        ("e:9007199254740991", ("e", 2**53 - 1)),
    ],
)
def test_since_is_an_epoch_and_an_offset(since: str, read: tuple[str, int]) -> None:
    assert parse_query(f"since={since}".encode()) == Connect(since=read)
    assert parse_query(f"since={quote(since)}".encode()) == Connect(since=read)  # the colon too


@pytest.mark.parametrize(
    "since",
    [
        "",
        ":",
        "e",
        "e:",
        ":1",
        "e:-1",
        "e:+1",
        "e:1.0",
        "e:1e3",
        "e: 1",
        "e:1\n",
        "e:x",
        "e:1:2",
        "é:1",
        "e.e:1",
        "e:١",  # a digit, but not ASCII
        "e" * 65 + ":1",
        "e:9007199254740992",  # 2^53
        "e:" + "9" * 10_000,
    ],
    ids=shown,
)
def test_any_other_since_is_refused(since: str) -> None:
    with pytest.raises(Malformed, match="expected since to be <epoch>:<offset>"):
        parse_query(urlencode({"since": since}).encode())


# ── The whole query ────────────────────────────────────────────────────────────────────────────


def test_everything_is_optional() -> None:
    assert parse_query(b"") == Connect(None, None, None)


def test_all_of_it_is_read() -> None:
    query = urlencode({"name": "王 小明", "client": CLIENT, "since": "e:3"}).encode()
    assert parse_query(query) == Connect("王 小明", CLIENT, ("e", 3))


@pytest.mark.parametrize("query", [b"token=1&x=&y", b"Name=1", b"=1", b"&&", b"x=1&x=2"])
def test_unknown_names_are_ignored(query: bytes) -> None:
    assert parse_query(query) == Connect()
    assert parse_query(query + b"&name=Ada") == Connect(name="Ada")


@pytest.mark.parametrize("name", ["name", "client", "since"])
def test_what_comes_twice_is_refused(name: str) -> None:
    value = {"name": "Ada", "client": CLIENT, "since": "e:1"}[name]
    with pytest.raises(Malformed, match=f"expected {name} once, received it 2 times"):
        parse_query(urlencode([(name, value), (name, value)]).encode())


@pytest.mark.parametrize(
    "query",
    [b"name=%ff", b"name=%e4%bd", b"name=%ed%a0%80", b"name=\xff", "name=王".encode(), b"&".join([b"x=1"] * 101)],
)
def test_query_that_is_no_percent_encoded_utf8_is_refused(query: bytes) -> None:
    with pytest.raises(Malformed, match="expected a query string of percent-encoded UTF-8"):
        parse_query(query)


@given(st.binary() | st.text().map(lambda text: quote(text, errors="surrogatepass").encode()) | st.lists(
    st.tuples(st.sampled_from(["name", "client", "since"]), st.text(st.characters(exclude_categories=["Cs"])))
).map(lambda pairs: urlencode(pairs).encode()))  # fmt: skip
def test_whatever_is_asked_for_is_read_or_malformed(query: bytes) -> None:
    with suppress(Malformed):
        assert isinstance(parse_query(query), Connect)
