"""docs/base-images.md names all that tests/stack/test_base_images.py asks of an image, and the other way round."""

import re
from pathlib import Path

import pytest

from tests.stack.base_images import NEEDS

DOCUMENT = (Path(__file__).parents[2] / "docs/base-images.md").read_text()


def documented_tools(image: str) -> set[str]:
    """The names in the row's column of commands, but for what belongs to another: pip is venv's, apt-get the tests'."""
    row = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `{image}`"))
    return set(re.findall(r"`([a-z][a-z0-9-]*)`", row.split("|")[3]))


@pytest.mark.parametrize("image", NEEDS)
def test_the_table_and_the_test_ask_for_the_same_tools(image: str) -> None:
    asked = {claim.removeprefix("the tool ") for claim, _, _ in NEEDS[image] if claim.startswith("the tool ")}
    checked_otherwise = {"python", "venv", "pip", "apt-get", "nginx", "redis-server", "redis-cli"}
    assert documented_tools(image) - checked_otherwise == asked
