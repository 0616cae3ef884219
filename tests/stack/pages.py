"""Visitors of the pages: GETs and POSTs, on new connections and on kept ones, and what they were answered."""

from __future__ import annotations

import http.client
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stack.clone import Clone

SECONDS = 15.0
INTERVAL = 0.05  # between two rounds of one visitor, so that they leave the machine to others
LOGIN = "/admin/login/"


@dataclass
class Visits:
    answered: int = 0
    posts: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def visited(clone: Clone, interval: float = INTERVAL) -> Iterator[Visits]:
    """One visitor on a new connection each time, one on a connection that is kept, as long as this is entered."""
    visits, enough = Visits(), threading.Event()
    visitors = [threading.Thread(target=visit, args=(clone, kept, visits, enough, interval)) for kept in (False, True)]
    for visitor in visitors:
        visitor.start()
    try:
        yield visits
    finally:
        enough.set()
        for visitor in visitors:
            visitor.join()


def visit(clone: Clone, kept: bool, visits: Visits, enough: threading.Event, interval: float) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", clone.port, timeout=SECONDS)
    cookie, body = "", ""

    def ask(method: str, path: str) -> tuple[str, str]:
        """The cookie and the form's token that came; a login without a password is refused by the form."""
        headers = {"Host": clone.host, "Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, body if method == "POST" else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            visits.failed.append(f"{method} {path}: {answer.status}")
        visits.answered += 1
        visits.posts += method == "POST"
        if not kept:
            connection.close()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text)
        return (answer.headers["Set-Cookie"] or "").split(";")[0], token[1] if token else ""

    while not enough.wait(interval):
        try:
            ask("GET", "/")
            cookie, token = ask("GET", LOGIN)
            body = urlencode({"csrfmiddlewaretoken": token, "username": "nobody"})
            ask("POST", LOGIN)
            cookie = ""
        except (OSError, http.client.HTTPException) as fault:
            visits.failed.append(repr(fault))
            connection.close()
    connection.close()
