"""`make verify` proves a running stack."""

import re

from tests.stack.clone import WEBSOCKETS, Clone


def test_verify_names_two_workers_and_succeeds(stack: Clone):
    done = stack.make("verify")
    names = {container["Name"].removeprefix("/") for container in stack.containers(WEBSOCKETS)}
    assert len(names) == 2
    assert names == set(re.findall(rf"{stack.project}-{WEBSOCKETS}-\d+", done.stdout))


def test_verify_fails_where_there_is_one_worker(neighbour: Clone):
    assert neighbour.make("verify", check=False).returncode
