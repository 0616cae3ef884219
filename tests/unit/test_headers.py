"""Headers that come in several lines."""

from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest

from app.headers import JoinedHeaders, joined

ACCEPT = [(b"accept", b"text/html"), (b"accept", b"*/*")]


@pytest.mark.parametrize("cookies", [[], [b"a=1"], [b"a=1; b=2"]])
def test_headers_with_one_cookie_line_stay_as_they_are(cookies: list[bytes]) -> None:
    headers = [*ACCEPT, *((b"cookie", value) for value in cookies)]
    assert joined(headers) is headers


def test_cookie_lines_are_joined_in_their_order_and_others_are_left() -> None:
    headers = [(b"cookie", b"a=1"), *ACCEPT, (b"cookie", b"b=2; c=3"), (b"cookie", b"d=4")]
    assert joined(headers) == [*ACCEPT, (b"cookie", b"a=1; b=2; c=3; d=4")]


async def test_django_reads_the_cookies_of_a_page_from_all_lines() -> None:
    seen: list[dict[str, str]] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(ASGIRequest(scope, BytesIO()).COOKIES)

    headers = [(b"cookie", b"theme=dark"), (b"cookie", b"sessionid=1"), (b"cookie", b"last=2")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    await JoinedHeaders(application)(scope, None, None)
    assert seen == [{"theme": "dark", "sessionid": "1", "last": "2"}]
