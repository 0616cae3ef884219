"""What containers would get, as Compose resolves it: all faults in one report (deploy/resolve.sh, app/report.py)."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / ".env.example").read_text()
GOOD = "PUBLIC_URL=http://localhost:8080\n"
Report = Callable[..., list[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The part of a clone that decides its configuration, in a folder with an odd name."""
    folder = tmp_path / "it's a $clone"
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("compose.yaml", ".env.example"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def report(folder: Path) -> Report:
    """The faults in a report; none is a good configuration. The process inherits no variable that is asked for."""

    def run(dotenv: str | bytes = GOOD, **shell: str) -> list[str]:
        (folder / ".env").write_bytes(dotenv if isinstance(dotenv, bytes) else dotenv.encode())
        said = subprocess.run(
            ["bash", folder / "deploy/resolve.sh"],
            env={"PATH": os.environ["PATH"], **shell},
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        checked = subprocess.run(
            [sys.executable, "-m", "app.report"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            input=said.stdout,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert checked.stdout == ""
        lines = checked.stderr.splitlines()
        assert checked.returncode == (1 if lines else 0), checked.stderr
        if lines:
            assert f" {len(lines) - 1} fault(s)" in lines[0], checked.stderr
        return [line.removeprefix("  ") for line in lines[1:]]

    return run


def names(faults: list[str]) -> list[str]:
    return sorted(fault.split(":")[0] for fault in faults)


def lines(values: dict[str, str], comment: str = "") -> str:
    return "".join(f"{name}={value}{comment}\n" for name, value in values.items())


def test_example_is_accepted(report: Report) -> None:
    assert report(EXAMPLE) == []


def test_every_fault_is_in_one_report(report: Report) -> None:
    faulty = {
        "ADMIN_NETWORKS": "10.0.0.0/8,loopback",
        "ALLOWED_ORIGINS": "https://example.com/path",
        "CHANNEL_LAYER": "rabbit",
        "COMPOSE_ENV_FILES": "other.env",
        "COMPOSE_PARALLEL_LIMIT": "many",
        "COMPOSE_PROGRESS": "loud",
        "COMPOSE_REMOVE_ORPHANS": "perhaps",
        "DAPHNE_REPLICAS": "two",
        "DATA_DIR": "/data",
        "HTTP_PORT": "70000",
        "HTTP_PROXY": "a proxy",
        "LOG_LEVEL": "CHATTY",
        "MAX_MESSAGE_SIZE": "1",
        "MAX_TEXT_LENGTH": "0",
        "NGINX_IMAGE": "Nginx Latest",
        "PIP_INDEX_URL": "mirror",
        "REDIS_MAXMEMORY": "lots",
        "REDIS_MEMORY": "lots",
        "REDIS_PASSWORD_FILE": "/secret",
        "WEB_CONCURRENCY": "many",
        "WEB_PIDS": "few",
    }
    good = {"COMPOSE_PROFILES": "x", "PIP_EXTRA_INDEX_URL": "https://a.example/simple https://b.example/simple"}
    faults = report(lines(faulty | good))
    assert names(faults) == sorted({*faulty, "PUBLIC_URL"})
    assert "did you mean MAX_MESSAGE_BYTES?" in "\n".join(faults)


@pytest.mark.parametrize("public_url", ["http://localhost:port", "localhost"])
def test_public_url_that_no_browser_could_open_is_a_fault(report: Report, public_url: str) -> None:
    assert names(report(f"PUBLIC_URL={public_url}\n")) == ["PUBLIC_URL"]


def test_contradictions_wait_until_each_value_is_good(report: Report) -> None:
    assert names(report("PUBLIC_URL=https://chat.example\nHTTP_PORT=x\n")) == ["HTTP_PORT"]


def test_what_nginx_or_compose_would_choke_on_is_refused_before(report: Report) -> None:
    values = {
        "ADMIN_NETWORKS": "192.168.0.0/255.255.0.0",
        "ALLOWED_HOSTS": "a;b",
        "ALLOWED_ORIGINS": "http://[",
        "BIND_ADDRESS": "10.0.0.0/8",
        "COMPOSE_FILE": "deploy/uvicorn.yaml",
    }
    assert names(report(GOOD + lines(values))) == sorted(values)


# ── What counts ────────────────────────────────────────────────────────────────────────────────


def test_what_the_shell_says_counts_and_is_named(report: Report) -> None:
    faults = report(
        f"{GOOD}REDIS_MAXMEMORY=64mb\nWEB_CONCURRENCY=3\n",
        REDIS_MAXMEMORY="lots",
        WEB_CONCURRENCY="many",
        LOG_LEVEL="debug",
        HTTP_PORT="8080",
    )
    assert names(faults) == ["LOG_LEVEL", "REDIS_MAXMEMORY", "WEB_CONCURRENCY"]
    assert all("set in the shell, which wins over .env" in fault for fault in faults)


def test_what_the_shell_mends_is_no_fault(report: Report) -> None:
    assert report(f"{GOOD}LOG_LEVEL=debug\nHTTP_PORT=eighty\n", LOG_LEVEL="DEBUG", HTTP_PORT="8080") == []


def test_a_variable_that_is_empty_in_the_shell_hides_the_files(report: Report) -> None:
    empty = ("HTTP_PORT", "DAPHNE_REPLICAS", "PUBLIC_URL", "REDIS_MEMORY", "LOG_LEVEL", "ADMIN_NETWORKS")
    faults = report(f"{GOOD}HTTP_PORT=8080\nDAPHNE_REPLICAS=1\n", **dict.fromkeys(empty, ""))
    assert names(faults) == sorted(empty)
    assert all(f"set and empty in the shell: unset {fault.split(':')[0]}." in fault for fault in faults)


def test_further_files_count_as_compose_has_them(report: Report, folder: Path) -> None:
    (folder / "one.env").write_text(f"{GOOD}WEB_CONCURRENCY=many\nLOG_LEVEL=DEBUG\nALOWED_HOSTS=a\n")
    (folder / "two.env").write_text("LOG_LEVEL=debug\n")
    files = {"COMPOSE_ENV_FILES": "one.env,two.env"}
    assert names(report("HTTP_PORT=unread\n", **files)) == ["ALOWED_HOSTS", "LOG_LEVEL", "WEB_CONCURRENCY"]
    [fault] = report(GOOD, COMPOSE_ENV_FILES=".env,absent.env")
    assert fault.startswith("absent.env: ")


def test_what_an_overlay_says_counts(report: Report, folder: Path) -> None:
    (folder / "deploy/mine.yaml").write_text("""
services:
  daphne: { environment: { LOG_LEVEL: debug } }
  redis: { environment: { REDIS_MAXMEMORY: lots } }
""")
    faults = report(f"{GOOD}COMPOSE_FILE=compose.yaml:deploy/mine.yaml\n")
    assert names(faults) == ["LOG_LEVEL", "REDIS_MAXMEMORY"]
    assert "in the environment of daphne" in "".join(faults)
    [fault, _] = report(f"{GOOD}COMPOSE_FILE=compose.yaml:deploy/mine.yaml\nLOG_LEVEL=INFO\nREDIS_MAXMEMORY=64mb\n")
    assert fault.startswith("daphne: LOG_LEVEL: ")


def test_an_overlays_limits_count(report: Report, folder: Path) -> None:
    (folder / "deploy/mine.yaml").write_text("services: { redis: { mem_limit: 64m }, web: { pids_limit: 10 } }\n")
    assert names(report(f"{GOOD}COMPOSE_FILE=compose.yaml:deploy/mine.yaml\n")) == ["REDIS_MAXMEMORY", "WEB_PIDS"]


def test_an_overlays_numbers_of_containers_count(report: Report, folder: Path) -> None:
    overlay = folder / "deploy/mine.yaml"
    overlay.write_text("services: { web: { scale: 0 }, daphne: { deploy: { replicas: 3 } } }\n")
    files = f"{GOOD}COMPOSE_FILE=compose.yaml:deploy/mine.yaml\n"
    assert names(report(files)) == ["web"]
    assert names(report(f"{files}DAPHNE_REPLICAS=4\n")) == ["DAPHNE_REPLICAS", "web"]
    assert names(report(f"{files}DAPHNE_REPLICAS=3\n")) == ["web"]


def test_what_compose_refuses_is_a_fault_in_its_words(report: Report, folder: Path) -> None:
    (folder / "deploy/mine.yaml").write_text("services: { redis: { no_such_key: 1 } }\n")
    [fault] = report(f"{GOOD}COMPOSE_FILE=compose.yaml:deploy/mine.yaml\n")
    assert "no_such_key" in fault
    [fault] = report(f"{GOOD}COMPOSE_FILE=compose.yaml:deploy/absent.yaml\n")
    assert "absent.yaml" in fault


# ── What is written ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "dotenv",
    [
        b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode() + b"HTTP_PORT=8080 # the port\r\nLOG_LEVEL='DEBUG'\r\n",
        f'HTTP_PORT=x\nexport PUBLIC_URL="http://localhost"  # x\n{GOOD}HTTP_PORT: 8080\nALLOWED_HOSTS=a, localhost\n',
    ],
)
def test_whatever_compose_can_read_is_read_alike(report: Report, dotenv: str | bytes) -> None:
    """CRLF, a byte order mark, `export`, quotes, comments, lines that come twice, a colon, blanks in a list."""
    assert report(dotenv) == []


def test_a_tab_before_a_comment_is_part_of_the_value(report: Report) -> None:
    values = {
        "REDIS_MAXMEMORY": "300mb",
        "WEB_CONCURRENCY": "3",
        "HTTP_PORT": "8080",
        "DAPHNE_REPLICAS": "2",
        "REDIS_MEMORY": "512m",
        "PING_SECONDS": "20",
        "LOG_LEVEL": "INFO",
        "ALLOWED_HOSTS": "localhost",
        "ADMIN_NETWORKS": "10.0.0.0/8",
        "NO_PROXY": "localhost",
    }
    faults = report(GOOD + lines(values, "\t# why"))
    assert names(faults) == sorted(values)
    assert all("A comment begins with a space and a #." in fault for fault in faults)


def test_blanks_and_invisible_characters_are_part_of_the_value(report: Report) -> None:
    values = {
        "REDIS_MAXMEMORY": "'300mb '",
        "WEB_CONCURRENCY": "' 3'",
        "PING_SECONDS": '"20\n30"',
        "LOG_LEVEL": '"INFO\n"',
        "ALLOWED_HOSTS": "'localhost,\tchat.example'",
        "HTTP_PROXY": "proxy.example\u200b",
        "REDIS_MEMORY": "'512 m'",
        "UVICORN_REPLICAS": "1_0",
        "DRAIN_SECONDS": "+5",
        "MESSAGE_RATE": "007",
        "PRESENCE_LIMIT": "\u0661",
    }
    faults = report(GOOD + lines(values))
    later = {"UVICORN_REPLICAS", "DRAIN_SECONDS", "MESSAGE_RATE", "PRESENCE_LIMIT"}  # once the others are right
    assert names(faults) == sorted(values.keys() - later)
    assert names(report(GOOD + lines({name: values[name] for name in later}))) == sorted(later)


def test_a_byte_that_no_variable_can_hold_is_a_fault_like_others(report: Report) -> None:
    """A disk that lost power may have written a file's end as zeros."""
    assert names(report(GOOD.encode() + b"HTTP_PORT=x\nLOG_LEVEL=INFO\0\0")) == ["HTTP_PORT", "LOG_LEVEL"]


def test_each_line_that_compose_cannot_read_is_named_with_the_other_faults(report: Report) -> None:
    faults = report(f'{GOOD}LOG LEVEL=1\nHTTP_PORT=x\nA!B=2\nWEB_PIDS=${{NO?one}}\nLOG_LEVEL="DEBUG\nMESSAGE_RATE=x\n')
    lines = [fault for fault in faults if fault.startswith(".env: line ")]
    assert [line.split(":")[1] for line in lines] == [" line 2", " line 4", " line 5", " line 6"]
    assert names(faults)[len(lines) :] == ["HTTP_PORT", "MESSAGE_RATE"]


def test_a_dollar_in_single_quotes_is_a_dollar(report: Report) -> None:
    written = {
        "HTTP_PROXY": "'http://u:pa$x@proxy.example:3128' # $5",
        "HTTPS_PROXY": '"http://u:pa\\$x@proxy.example:3128"',
        "NO_PROXY": "pa$",
        "PIP_INDEX_URL": "'https://u:${x}@mirror.example/simple'",
    }
    assert report(GOOD + lines(written)) == []


def test_a_dollar_that_compose_replaces_is_a_fault(report: Report) -> None:
    values = {
        "HTTP_PROXY": "http://u:pa$x@proxy.example:3128",
        "HTTPS_PROXY": '"http://u:pa$x@proxy.example:3128"',
        "PIP_INDEX_URL": "https://mirror.example/${path:-simple}",
        "LOG_LEVEL": "${LEVEL}",
        "REDIS_MEMORY": "$REDIS_MAXMEMORY",
    }
    faults = report(GOOD + lines(values))
    assert names(faults) == sorted(values)
    assert all("in single quotes" in fault for fault in faults)


def test_a_password_is_in_no_report(report: Report) -> None:
    [fault] = report(f"{GOOD}HTTP_PROXY='http://ada:s3cret@proxy example'\n")
    assert "s3cret" not in fault


# ── What disagrees ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"PUBLIC_URL": "https://chat.example", "MAX_TEXT_LENGTH": "100000"}, ["MAX_MESSAGE_BYTES", "PUBLIC_URL"]),
        ({"PUBLIC_URL": "http://localhost:8080", "BIND_ADDRESS": "192.0.2.7"}, ["PUBLIC_URL"]),
        ({"PUBLIC_URL": "http://127.0.0.1:8080", "BIND_ADDRESS": "[::]"}, ["PUBLIC_URL"]),
        ({"PUBLIC_URL": "http://localhost:8080", "BIND_ADDRESS": "[::]"}, []),
        ({"PUBLIC_URL": "http://localhost:8080", "BIND_ADDRESS": "0.0.0.0"}, []),  # noqa: S104
        ({"PUBLIC_URL": "https://localhost", "BIND_ADDRESS": "192.0.2.7"}, []),
        ({"PUBLIC_URL": "http://127.0.0.2:8080", "ALLOWED_HOSTS": "127.0.0.2"}, ["PUBLIC_URL"]),
        ({"PUBLIC_URL": "http://127.0.0.2:8080", "ALLOWED_HOSTS": "*", "BIND_ADDRESS": "127.0.0.2"}, []),
        ({"PUBLIC_URL": "http://localhost.:8081"}, ["PUBLIC_URL"]),
    ],
)
def test_values_that_contradict_each_other_are_faults(
    report: Report, variables: dict[str, str], named: list[str]
) -> None:
    assert names(report(lines(variables))) == named


def test_an_ipv6_address_is_answered_with_its_brackets(report: Report) -> None:
    [fault] = report(f"{GOOD}BIND_ADDRESS=::\n")
    assert "Write [::]." in fault
