"""Commands in a container's network, with the rights that the container itself does not have."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tests.stack.clone import docker

if TYPE_CHECKING:
    from collections.abc import Sequence


def in_network_of(container: dict[str, Any], command: Sequence[str]) -> str:
    network = f"--network=container:{container['Id']}"
    return docker("run", "--rm", network, "--cap-add=NET_ADMIN", "--user=0", os.environ["TESTS_IMAGE"], *command)
