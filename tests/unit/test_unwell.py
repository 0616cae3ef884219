"""deploy/lib/unwell.sh: what commands show of containers that do not get well."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# One container of web is unhealthy, with the reason in front of a long traceback; nginx waits for it.
DOCKER = r"""
docker() {
    case "$*" in
    "compose up --detach --no-deps --force-recreate"*) ;;
    "compose up"* | "compose --progress quiet up"*) return 1 ;;
    "wait"*) echo 1 ;;
    "ps --all --filter"*) printf '%s\n' "1 nginx" "2 web" "3 redis" "4 daphne" ;;
    "ps"*) echo 2 ;;
    "inspect"*State.Status*1) echo "running 0 unhealthy" ;;
    "inspect"*State.Status*2) echo "restarting 3 unhealthy" ;;
    "inspect"*State.Status*3) echo "running 0 healthy" ;;
    "inspect"*State.Status*4) echo "created 0 " ;;
    "inspect"*.Name*) echo "chat-container-${!#}" ;;
    "logs"*) { echo "the reason"; for ((n = 0; n < 200; n++)); do echo; echo "line $n"; done; } |
        if [ "$2" = --tail ]; then tail -n "$3"; else cat; fi ;;
    esac
}
"""


def shell(script: str) -> subprocess.CompletedProcess[str]:
    script = f'cd "{ROOT}"; . deploy/lib/rolling.sh; project=chat command=up\n{DOCKER}\n{script}'
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "fails", ["compose_up", "migrate_loudly", 'unhealthy 2 "not healthy"', "renew_nginx", "renew_redis"]
)
def test_the_first_lines_of_a_log_are_shown_with_the_last(fails: str) -> None:
    done = shell(f"learn_hashes() {{ :; }}; as_wanted() {{ false; }}; {fails}")
    assert done.returncode == 1
    assert "  the reason\n" in done.stderr
    assert "  line 199\n" in done.stderr
    assert "up: fix:      what " in done.stderr


def test_what_only_waits_for_another_one_is_not_shown() -> None:
    done = shell("compose_up")
    assert "chat-container-2" in done.stderr
    assert not [n for n in (1, 3, 4) if f"chat-container-{n}" in done.stderr]


@pytest.mark.parametrize("lines", [0, 1, 39, 40, 41, 79, 80, 81, 82, 200])
def test_an_excerpt_has_each_line_once_and_says_what_is_left_out(lines: int) -> None:
    told = [f"line {n}" for n in range(lines)]
    text = "\n\n".join(told)
    said = shell(f"excerpt <<< '{text}'").stdout.splitlines()
    expected = told if lines <= 80 else [*told[:40], "...", *told[-40:]]
    assert said == [f"  {line}" for line in expected]


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("Traceback\ndjango.db.utils.OperationalError: the disk is full\n  Applying 0001...\n", "disk is full"),
        ("ValueError: the first\nRuntimeError\n", "RuntimeError"),
        ("flock: timeout\nfailed to get lock\n", "failed to get lock"),
    ],
    ids=["before other output", "the last", "no exception"],
)
def test_the_reason_is_the_last_exception_or_the_last_line(log: str, reason: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"cd '{ROOT}'; . deploy/lib/unwell.sh; reason"], input=log, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1].endswith(reason)
    assert len(done.stdout.splitlines()) == 1
