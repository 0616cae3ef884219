"""deploy/lib/lock.sh: one command at a time changes the stack, and whoever may not says so at once."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

LOCK = Path(__file__).parents[2] / "deploy/lib/lock.sh"
HELD = "echo held; read -r _"
SECONDS = 30


def started(folder: Path, then: str = "echo held", before: str = "") -> subprocess.Popen[str]:
    script = f"set -euo pipefail; {before} . {LOCK}; lock up; {then}"
    return subprocess.Popen(
        ("bash", "-c", script),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def refusal(folder: Path, before: str = "") -> str:
    process = started(folder, before=before)
    said, refused = process.communicate(timeout=SECONDS)
    assert (process.returncode, said) == (1, "")
    assert list((folder / ".state").glob("changing.*")) == []
    return refused


def held(folder: Path) -> subprocess.Popen[str]:
    process = started(folder, HELD)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_of_many_at_once_one_is_at_work_and_the_others_name_it(tmp_path: Path) -> None:
    processes = [started(tmp_path, HELD) for _ in range(12)]
    said = []
    for process in processes:
        assert process.stdout
        said.append(process.stdout.readline())
    assert said.count("held\n") == 1
    holder = processes[said.index("held\n")]
    for process in processes:
        _, refused = process.communicate("\n", timeout=SECONDS)
        if process is not holder:
            assert f"make up at work on this stack (process {holder.pid})" in refused
    assert started(tmp_path).communicate(timeout=SECONDS)[0] == "held\n", "it is given back"


def test_who_was_killed_holds_nobody_up(tmp_path: Path) -> None:
    with held(tmp_path) as process:
        process.kill()
    assert started(tmp_path).communicate(timeout=SECONDS)[0] == "held\n"


def test_another_users_living_process_keeps_it(tmp_path: Path) -> None:
    """For which `kill -0` fails as for a dead one."""
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state/changing").write_text(f"{os.getpid()} deploy\n")
    assert "make deploy at work" in refusal(tmp_path, "kill() { return 1; };")


@pytest.mark.parametrize("unwritable", ["file", "folder"])
def test_where_nothing_can_be_written_it_says_so_and_does_not_wait(tmp_path: Path, unwritable: str) -> None:
    state = tmp_path / ".state"
    if unwritable == "file":
        state.touch()
    else:
        state.symlink_to("/proc")  # root cannot write there either
    assert ".state/, in which" in refusal(tmp_path)


def test_where_no_links_can_be_made_it_ends(tmp_path: Path) -> None:
    assert "hard links" in refusal(tmp_path, "ln() { return 1; };")


@pytest.mark.parametrize("command", ["up", "down", "deploy", "rollback", "purge", "backup"])
def test_every_command_that_changes_the_stack_waits_for_its_turn(tmp_path: Path, command: str) -> None:
    """A backup starts Redis where it is stopped, and would stop it at its end beneath whatever has begun meanwhile."""
    (tmp_path / "deploy").symlink_to(LOCK.parents[1])
    with held(tmp_path) as process:
        script = f"deploy/{command}.sh"
        done = subprocess.run(("bash", script), cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS)
        process.communicate("\n", timeout=SECONDS)
    assert done.returncode == 1
    assert f"{command}: found:    make up at work on this stack" in done.stderr


def test_a_command_that_has_it_may_call_another(tmp_path: Path) -> None:
    """As `make restore` does with a backup, which does not give it back."""
    child = tmp_path / "child.sh"
    child.write_text(f"set -euo pipefail; . {LOCK}; lock_unless_caller_has backup; unlock; echo called")
    process = started(tmp_path, f"bash {child}; read -r _")
    assert process.stdout
    assert process.stdout.readline() == "called\n"
    assert "make up at work" in refusal(tmp_path)
    process.communicate("\n", timeout=SECONDS)
    assert not (tmp_path / ".state/changing").exists()


def test_a_lost_terminal_gives_it_back(tmp_path: Path) -> None:
    with held(tmp_path) as process:
        process.send_signal(signal.SIGHUP)
    assert not (tmp_path / ".state/changing").exists()
