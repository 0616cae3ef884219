"""deploy/lib/place.sh: which folder's path Compose and BuildKit can take."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = '. deploy/lib/place.sh && unusable_part "$1"'


def unusable_part(path: str) -> str:
    root = Path(__file__).parents[2]
    done = subprocess.run(["bash", "-c", SCRIPT, "bash", path], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == bool(done.stdout)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "name", ["channels", "a b", "a:b", "it's", "$HOME", "a$b", "a#b", "a{b}", "a*b;c&d", "-a", "a=b", "a\\b"]
)
def test_usual_and_unusual_names_are_taken(name: str) -> None:
    assert unusable_part(f"/srv/{name}") == unusable_part(f"/srv/{name}/clone") == ""


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("a\nb", "line break"),
        ("a\tb", "control character"),
        ('a"b', "quotation mark"),
        ("a,b", "comma"),
        ("a%b", "percent sign"),
        ("a${b", "dollar sign before a brace"),
    ],
)
def test_what_breaks_compose_anywhere_in_the_path_is_named(name: str, part: str) -> None:
    assert part in unusable_part(f"/srv/{name}")
    assert part in unusable_part(f"/srv/{name}/clone")


def test_a_letter_beyond_ascii_breaks_buildkit_in_the_last_name_alone() -> None:
    assert "beyond ASCII" in unusable_part("/srv/münchen")
    assert unusable_part("/srv/münchen/clone") == ""
