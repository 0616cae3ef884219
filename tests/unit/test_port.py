"""deploy/lib/port.sh: which addresses nginx can listen on."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# As Linux has it: the last address has a route, and belongs to another machine.
TABLE = """Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 192.0.2.7
        /32 host LOCAL
     |-- 192.0.2.255
        /32 link BROADCAST
     |-- 192.0.2.9
        /32 link UNICAST
"""


@pytest.mark.parametrize(
    ("address", "foreign"),
    [
        ("192.0.2.7", False),
        ("127.0.0.2", False),
        ("0.0.0.0", False),  # noqa: S104
        ("[::1]", False),
        ("192.0.2.9", True),
        ("192.0.2.70", True),
        ("192.0.2.255", True),
        ("2.0.2.7", True),
    ],
)
def test_an_address_of_another_machine_is_known(tmp_path: Path, address: str, foreign: bool) -> None:
    (tmp_path / "addresses").write_text(TABLE)
    done = subprocess.run(
        ["bash", "-c", f". deploy/lib/port.sh; foreign {address}"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "ADDRESSES": str(tmp_path / "addresses")},
        check=False,
    )
    assert (done.returncode == 0) is foreign
