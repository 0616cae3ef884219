"""Whatever base image is in use has what the stack asks of it."""

import os
import re
import subprocess

import pytest

from tests.stack.base_images import NEEDS

END = "==end=="


@pytest.fixture(scope="module")
def outputs() -> dict[str, list[str]]:
    """Of every need's command; one container for each image."""

    def run(name: str) -> list[str]:
        script = "\n".join(f"( {command} ) 2>/dev/null; echo {END}" for _, command, _ in NEEDS[name])
        command = ("docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", os.environ[name], "-c", script)
        text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
        return [output.strip() for output in text.split(END)][:-1]

    return {name: run(name) for name in NEEDS}


@pytest.mark.parametrize(
    ("image", "number"),
    [
        pytest.param(image, number, id=f"{image}-{need[0]}")
        for image, needs in NEEDS.items()
        for number, need in enumerate(needs)
    ],
)
def test_a_base_image_has(outputs: dict[str, list[str]], image: str, number: int):
    _, _, expected = NEEDS[image][number]
    assert re.fullmatch(expected, outputs[image][number])
