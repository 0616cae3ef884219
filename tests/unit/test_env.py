"""How each variable is read, and what is said of one that cannot be."""

import os
from pathlib import Path

import pytest
from environs import EnvValidationError, ValidationError

from app.env import WIRING, Environment, declare_stack, invalid, origin, unknown, web_address
from app.origins import normal


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setattr(os, "environ", {})
    return Environment()


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, []),
        ("", []),
        (" https://Example.com , http://localhost:8080,", ["https://example.com", "http://localhost:8080"]),
        ("http://[::1]:8080", ["http://[::1]:8080"]),
    ],
)
def test_origins_are_read_without_case_and_white_space(env: Environment, given: str | None, read: list[str]) -> None:
    os.environ.update({} if given is None else {"NAME": given})
    assert env.origins("NAME") == read
    env.seal()


@pytest.mark.parametrize("given", ["10.0.0.0/8, ::1", "10.0.0.0/8,::1,"])
def test_networks_are_addresses_and_networks(env: Environment, given: str) -> None:
    os.environ["NAME"] = given
    assert env.networks("NAME", []) == ["10.0.0.0/8", "::1"]
    assert env.networks("ABSENT", ["fc00::/7"]) == ["fc00::/7"]
    env.seal()


def test_hosts_are_read_without_white_space(env: Environment) -> None:
    os.environ["NAME"] = " a.example , .b.example,,"
    assert env.hosts("NAME", ["c"]) == ["a.example", ".b.example"]
    assert env.hosts("ABSENT", ["c"]) == ["c"]


@pytest.mark.parametrize(
    "given",
    [
        "example.com",
        "//example.com",
        "https://",
        "https://example.com/",
        "https://example.com/path",
        "https://example.com?query",
        "https://example.com#fragment",
        "https://example.com:port",
        "https://example.com:99999",
        "https://user@example.com",
        "http://[",
        "https://example.com:",
        "https://example.com:0",
        "https://example.com:08443",
        "https://[::1",
        "https://[1:2]",
        "https://exa mple.com",
        "capacitor://",
        "capacitor://localhost/",
        "file://",
        "file:///",
        "data:text/html",
        "null",
        "*",
        "",
    ],
)
def test_anything_but_scheme_host_and_port_is_no_origin(given: str) -> None:
    with pytest.raises(ValidationError):
        origin(given)


@pytest.mark.parametrize(
    "given",
    [
        "http://localhost",
        "https://example.com:8443",
        "http://127.0.0.1",
        "http://[::1]",
        "wss://chat.example",
        "ws://localhost:8080",
        "capacitor://localhost",
        "ionic://localhost",
        "tauri://localhost",
        "app://-",
        "chrome-extension://fmkadmapgofadopljbjfkapdkoienihi",
        "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
    ],
)
def test_any_scheme_with_a_host_and_perhaps_a_port_is_an_origin(given: str) -> None:
    origin(given)
    assert normal(given), "what is accepted here, the guard can compare"


@pytest.mark.parametrize("given", ["https://example.com", "http://[::1]:8080"])
def test_public_url_is_a_pages_origin(given: str) -> None:
    web_address(given)


@pytest.mark.parametrize("given", ["capacitor://localhost", "wss://example.com", "example.com", "https://a/b"])
def test_no_browser_opens_a_page_at_another_scheme_or_a_path(given: str) -> None:
    with pytest.raises(ValidationError):
        web_address(given)


@pytest.mark.parametrize(
    ("name", "given", "advice"),
    [
        ("PUBLIC_URL", "https://b\u00fccher.example:8443", "Write https://xn--bcher-kva.example:8443,"),
        ("PUBLIC_URL", "https://stra\u00dfe.example", "Write https://xn--strae-oqa.example,"),
        ("ORIGINS", "https://a.example,app://\u4f8b.example", "Write app://xn--fsq.example,"),
        ("HOSTS", "localhost,.b\u00fccher.example", "Write .xn--bcher-kva.example,"),
        ("HOSTS", "[0:0::1]", "Write [::1],"),
        ("ORIGINS", "http://[2001:DB8:0:0:0:0:0:5]:3000", "Write http://[2001:db8::5]:3000,"),
        ("PUBLIC_URL", "http://[0:0:0:0:0:0:0:1]:8080", "Write http://[::1]:8080,"),
        ("HOSTS", "i\u2764.example", "Write xn--i-7iq.example,"),
        ("PUBLIC_URL", "https://\U0001f4a9.example", "Write https://xn--ls8h.example,"),
    ],
)
def test_name_that_browsers_send_otherwise_is_answered_with_how_to_write_it(
    env: Environment, name: str, given: str, advice: str
) -> None:
    os.environ[name] = given
    env.str("PUBLIC_URL", default="http://localhost", validate=web_address)
    env.origins("ORIGINS")
    env.hosts("HOSTS", ["localhost"])
    with pytest.raises(EnvValidationError) as refused:
        env.seal()
    assert advice in " ".join(invalid(refused.value))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("ADMIN_NETWORKS", "10.0.0.0/8,localhost"),
        ("BIND_ADDRESS", "localhost"),
        ("HTTP_PORT", "0"),
        ("HTTP_PORT", "65536"),
        ("HTTP_PORT", "eighty"),
        ("DAPHNE_REPLICAS", "0"),
        ("WEB_CONCURRENCY", "0"),
        ("UVICORN_REPLICAS", "100"),
        ("REDIS_MAXMEMORY", "0mb"),
        ("REDIS_MEMORY", "512"),
        ("WEB_MEMORY", "512 m"),
        ("DAPHNE_MEMORY", "lots"),
        ("NGINX_MEMORY", "-1m"),
        ("REDIS_MAXMEMORY", "99999999999gb"),
        ("REDIS_MEMORY", "10000000000m"),
        ("REDIS_PIDS", "7"),
        ("WEB_PIDS", "4194305"),
        ("WORKER_CHANNELS", "thumbnails,mails"),
        ("WORKER_CHANNELS", "--layer=other"),
        ("WORKER_CHANNELS", "thumb nails " + 100 * "x"),
        ("NGINX_IMAGE", ""),
    ],
)
def test_value_out_of_range_is_named_with_what_was_received(env: Environment, name: str, given: str) -> None:
    os.environ[name] = given
    declare_stack(env)
    with pytest.raises(EnvValidationError) as refused:
        env.seal()
    [sentence] = invalid(refused.value)
    assert sentence.startswith(f"{name}: ")
    assert sentence.endswith(f" Received {given!r}.")


def test_the_longest_host_is_one_that_nginx_has_room_for(env: Environment) -> None:
    os.environ["NAME"] = longest = "x.".ljust(253, "y")
    assert env.hosts("NAME", ["c"]) == [longest]
    os.environ["OTHER"] = f"{longest}y"
    env.hosts("OTHER", ["c"])
    with pytest.raises(EnvValidationError, match="OTHER"):
        env.seal()


def test_absent_value_is_named_as_nothing(env: Environment) -> None:
    env.str("NAME")
    with pytest.raises(EnvValidationError) as refused:
        env.seal()
    [sentence] = invalid(refused.value)
    assert sentence.startswith("NAME: ")
    assert sentence.endswith(" Received nothing.")


def test_secret_is_read_from_its_file_without_the_final_newline(env: Environment, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    os.environ["NAME_FILE"] = str(tmp_path / "secret")
    assert env.str("NAME") == "s3cret"
    env.seal()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("ALOWED_HOSTS", "did you mean ALLOWED_HOSTS?"),
        ("MAX_TEXT_LENGHT", "did you mean MAX_TEXT_LENGTH?"),
        ("QQQ", "see .env.example"),
        ("SECRET_KEY", "compose.yaml sets this itself"),
        ("SECRET_KEY_FILE", "compose.yaml sets this itself"),
        ("REDIS_URL", "compose.yaml sets this itself"),
        ("ALLOWED_HOSTS_FILE", "did you mean ALLOWED_HOSTS?"),
    ],
)
def test_name_that_nobody_reads_is_told_the_nearest_that_somebody_does(given: str, told: str) -> None:
    [sentence] = unknown([given, "MAX_TEXT_LENGTH"], {"ALLOWED_HOSTS", "MAX_TEXT_LENGTH", *WIRING})
    assert sentence.startswith(f"{given}: ")
    assert told in sentence


def test_composes_own_names_are_known(env: Environment) -> None:
    declare_stack(env)
    assert unknown(["COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"], env.names) == []
