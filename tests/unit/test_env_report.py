"""`python -m app.env < .env`: all faults of a file in one report."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Report = Callable[[str], list[str]]
ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / ".env.example").read_text()


@pytest.fixture
def report(environment: dict[str, str]) -> Report:
    """The lines of the report; none is a good file. The process inherits no variable that is asked for."""

    def run(dotenv: str) -> list[str]:
        checked = subprocess.run(
            [sys.executable, "-m", "app.env"],
            cwd=ROOT,
            env={"PATH": environment["PATH"]},
            input=dotenv,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert checked.stdout == ""
        lines = checked.stderr.splitlines()
        assert checked.returncode == (1 if lines else 0), checked.stderr
        return lines

    return run


def test_example_is_accepted(report: Report) -> None:
    assert report(EXAMPLE) == []


def test_every_fault_is_in_one_report(report: Report) -> None:
    faulty = {
        "ADMIN_NETWORKS": "10.0.0.0/8,loopback",
        "ALLOWED_ORIGINS": "https://example.com/path",
        "CHANNEL_LAYER": "rabbit",
        "DAPHNE_REPLICAS": "two",
        "DATA_DIR": "/data",
        "HTTP_PORT": "70000",
        "LOG_LEVEL": "CHATTY",
        "MAX_MESSAGE_SIZE": "1",
        "MAX_TEXT_LENGTH": "0",
        "REDIS_MEMORY": "lots",
        "REDIS_PASSWORD_FILE": "/secret",
    }
    good = {"COMPOSE_PROFILES": "x", "WEB_CONCURRENCY": "4"}
    head, *lines = report("".join(f"{name}={value}\n" for name, value in {**faulty, **good}.items()))
    assert {line.split(":")[0].strip() for line in lines} == {*faulty, "PUBLIC_URL"}
    assert f"{len(lines)} fault" in head
    assert "did you mean MAX_MESSAGE_BYTES?" in "\n".join(lines)


@pytest.mark.parametrize("public_url", ["http://[", "http://localhost:port", "http://localhost:99999", "localhost", ""])
def test_public_url_that_no_browser_could_open_is_a_fault(report: Report, public_url: str) -> None:
    head, line = report(f"PUBLIC_URL={public_url}\n")
    assert "1 fault" in head
    assert line.strip().startswith("PUBLIC_URL: ")


def test_values_that_contradict_each_other_are_faults(report: Report) -> None:
    _, *lines = report("PUBLIC_URL=https://chat.example\nMAX_TEXT_LENGTH=100000\n")
    assert [line.split(":")[0].strip() for line in lines] == ["PUBLIC_URL", "MAX_MESSAGE_BYTES"]
    assert "ALLOWED_HOSTS" in lines[0]
    assert "MAX_TEXT_LENGTH" in lines[1]


def test_contradictions_wait_until_each_value_is_good(report: Report) -> None:
    _, line = report("PUBLIC_URL=https://chat.example\nHTTP_PORT=x\n")
    assert line.strip().startswith("HTTP_PORT: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "a;b"),
        ("ALLOWED_HOSTS", "example.com/path"),
        ("ADMIN_NETWORKS", ""),
        ("ADMIN_NETWORKS", "192.168.0.0/255.255.0.0"),
        ("BIND_ADDRESS", "10.0.0.0/8"),
        ("COMPOSE_PROJECT_NAME", "Chat"),
        ("LOG_LEVEL", "${LEVEL}"),
        ("HTTP_PORT", "8081"),
    ],
)
def test_what_nginx_or_compose_would_choke_on_is_refused_before(report: Report, name: str, value: str) -> None:
    lines = report(f"PUBLIC_URL=http://localhost:8080\n{name}={value}\n")
    assert any(name in line for line in lines)
