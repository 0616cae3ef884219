"""Static files: named by their content's hash, compressed when asked, never asked for again."""

import gzip
import re

import pytest

from tests.stack.clone import Clone
from tests.stack.wire import request


@pytest.fixture
def stylesheet(stack: Clone) -> str:
    page = request(stack, "/admin/login/").body.decode()
    (path,) = re.findall(r'href="(/static/admin/css/base\.[0-9a-f]{12}\.css)"', page)
    return str(path)


def test_a_hashed_name_is_kept_for_ever(stack: Clone, stylesheet: str):
    answer = request(stack, stylesheet)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/css"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Encoding"] is None


def test_it_is_compressed_when_asked(stack: Clone, stylesheet: str):
    answer = request(stack, stylesheet, [("Accept-Encoding", "gzip")])
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body) == request(stack, stylesheet).body


def test_every_file_of_a_page_is_there(stack: Clone):
    for page in ("/", "/chat/room/", "/admin/login/"):
        paths = re.findall(r'(?:href|src)="(/static/[^"]+)"', request(stack, page).body.decode())
        assert paths
        assert {request(stack, path).status for path in paths} == {200}


@pytest.mark.parametrize(
    "path",
    [
        "/static/nothing.css",
        "/static/MyChannels/",
        "/static/../etc/passwd",
        "/static/..%2f..%2fetc%2fpasswd",
        "/static/MyChannels/page.000000000000.css",
    ],
)
def test_unknown_files_and_folders_are_not_there(stack: Clone, path: str):
    """What climbs above the root is no path at all to nginx: 400."""
    answer = request(stack, path)
    assert answer.status == {"/static/MyChannels/": 403, "/static/..%2f..%2fetc%2fpasswd": 400}.get(path, 404)
    assert b"root:" not in answer.body


def test_an_unknown_file_is_not_kept_for_ever(stack: Clone):
    assert "immutable" not in (request(stack, "/static/nothing.css").headers["Cache-Control"] or "")
