"""The pages around the rooms."""

import re

import pytest
from django.test import Client
from pytest_django import Settings


@pytest.fixture(autouse=True)
def unhashed_static_files(settings: Settings) -> None:
    """The hashes are the image's: it collects the files."""
    backend = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": backend}


def test_index_offers_the_form(client: Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert {"MyChannels/index.html", "MyChannels/base.html"} <= {template.name for template in page.templates}
    for text in ('name="room_name"', "/static/MyChannels/page.css"):
        assert text in page.text


def test_index_leads_to_the_room_that_was_typed(client: Client) -> None:
    answer = client.get("/", {"room_name": " lobby-1 "})
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/chat/lobby-1/"


@pytest.mark.parametrize("name", ["", "a b", "a" * 81, "a/b", "//evil.example", "<script>alert(1)</script>"])
def test_index_says_what_is_wrong_with_a_name(client: Client, name: str) -> None:
    page = client.get("/", {"room_name": name})
    assert page.status_code == 400
    assert 'aria-invalid="true"' in page.text
    assert "<script>alert" not in page.text


def test_room_page_names_the_room_and_loads_its_script(client: Client) -> None:
    page = client.get("/chat/lobby-1/")
    assert page.status_code == 200
    assert re.search("<title>lobby-1 .+</title>", page.text)
    assert '<script type="module" src="/static/MyChannels/room.js">' in page.text


@pytest.mark.parametrize(("secure", "origin"), [(False, "ws://testserver:81"), (True, "wss://testserver:81")])
def test_the_sockets_origin_is_named_where_self_does_not_hold_it(client: Client, secure: bool, origin: str) -> None:
    page = client.get("/chat/lobby-1/", secure=secure, headers={"host": "testserver:81"})
    policy = page.headers["Content-Security-Policy"]
    assert f"connect-src 'self' {origin};" in policy
    assert "default-src 'self';" in policy
    assert "unsafe" not in policy


def test_a_room_page_without_its_script_promises_nothing(client: Client) -> None:
    """What stands in the markup is seen where no script runs."""
    page = client.get("/chat/lobby-1/").text
    assert '<p id="unstarted">' in page
    for control in ("composer", "copy", "retry", "people", "earlier", "newer", "who", "naming"):
        assert re.search(rf'<(?:form|button|section)[^>]* id="{control}"[^>]* hidden\b', page), control


@pytest.mark.parametrize("path", ["/chat/", "/chat/a.b/", f"/chat/{'a' * 81}/", "/chat/a%0A/", "/chat/a/b/"])
def test_room_that_cannot_be_has_no_page(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/chat/lobby/"])
def test_pages_are_only_read(client: Client, path: str) -> None:
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405
