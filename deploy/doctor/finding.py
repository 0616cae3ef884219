"""The result of a check."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from typing import Literal

SEPARATOR = "\x1f"  # instead of JSON, so that hosts do not need jq; the shell part renders text and JSON


@dataclass(frozen=True)
class Finding:
    """`expected` and `fix` are empty if all is well."""

    check: str
    level: Literal["ok", "warning", "error"]
    found: str
    expected: str = ""
    fix: str = ""

    def line(self) -> str:
        return SEPARATOR.join(re.sub(r"[\x00-\x1f\x7f]+", " ", field) for field in astuple(self))


def ok(check: str, found: str) -> Finding:
    return Finding(check, "ok", found)


def warning(check: str, found: str, expected: str, fix: str) -> Finding:
    return Finding(check, "warning", found, expected, fix)


def error(check: str, found: str, expected: str, fix: str) -> Finding:
    return Finding(check, "error", found, expected, fix)
