"""curl takes a proxy from the environment, which Docker's client may fill; the stack's own questions need none."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_curl_asks_no_proxy_for_what_is_inside_the_stack() -> None:
    scripts = [path for folder in ("deploy", "services") for path in (ROOT / folder).rglob("*.sh")]
    calls = [line for path in scripts for line in path.read_text().splitlines() if re.search(r"\bcurl -", line)]
    assert len(calls) >= 3
    assert [line for line in calls if "--noproxy '*'" not in line] == []
