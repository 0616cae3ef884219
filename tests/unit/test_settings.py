"""What the environment makes of the settings, each time in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).parents[2]


def python(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def read(environment: dict[str, str], expression: str) -> object:
    done = python(environment, "-c", f"import json; from app import settings; print(json.dumps({expression}))")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_tests_read_the_settings_from_no_developers_shell(environment: dict[str, str]) -> None:
    assert environment["SECRET_KEY"] == settings.SECRET_KEY
    assert environment["REDIS_URL"] == settings.REDIS_URL
    assert settings.MAX_TEXT_LENGTH == 4000


@pytest.mark.parametrize("public_url", ["https://localhost", "http://localhost:8080"])
def test_deployment_checks_are_clean(environment: dict[str, str], public_url: str) -> None:
    environment["PUBLIC_URL"] = public_url
    checked = python(environment, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("public_url", "further"),
    [
        ("https://localhost", []),
        ("http://localhost:8080", ["security.W004", "security.W008", "security.W012", "security.W016"]),
    ],
)
def test_without_https_only_the_checks_that_demand_it_are_silenced(
    environment: dict[str, str], public_url: str, further: list[str]
) -> None:
    environment["PUBLIC_URL"] = public_url
    silenced = read(environment, "settings.SILENCED_SYSTEM_CHECKS")
    assert silenced == ["security.W005", "security.W021", *further]


@pytest.mark.parametrize(("public_url", "https"), [("https://localhost", True), ("http://localhost:8080", False)])
def test_https_brings_secure_cookies_redirects_and_a_year_of_hsts(
    environment: dict[str, str], public_url: str, https: bool
) -> None:
    environment["PUBLIC_URL"] = public_url
    names = "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS"
    values = read(environment, f"[getattr(settings, name) for name in {names}]")
    assert values == ([True, True, True, 31_536_000] if https else [False, False, False, 0])


def test_sockets_and_forms_are_accepted_from_public_url_and_from_what_is_listed(environment: dict[str, str]) -> None:
    environment["ALLOWED_ORIGINS"] = "https://listed.example"
    assert read(environment, "settings.OWN_ORIGINS") == [environment["PUBLIC_URL"], "https://listed.example"]
    # All that Django itself is to believe; app/csrf.py asks about the others.
    assert read(environment, "settings.CSRF_TRUSTED_ORIGINS") == [environment["PUBLIC_URL"]]


COOKIES = "SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "LANGUAGE_COOKIE_NAME"


def test_cookies_are_the_projects_own(environment: dict[str, str]) -> None:
    """Browsers keep them by host, whatever the port; projects on one machine may even have one PUBLIC_URL."""
    found: list[str] = []
    for project, url in [
        ("one", "http://localhost:8080"),
        ("other", "http://localhost:8080"),
        ("one", "http://localhost:8081"),
        ("one", "https://localhost"),
    ]:
        names = read(
            {**environment, "PROJECT": project, "PUBLIC_URL": url}, f"[getattr(settings, n) for n in {COOKIES}]"
        )
        assert isinstance(names, list)
        found += names
    assert len(set(found)) == len(found) == 12
    assert found[0] == "sessionid_one_8080"


@pytest.mark.parametrize(
    ("layer", "backend"),
    [
        (None, "app.channel_layer.ConfirmedPubSubChannelLayer"),
        ("pubsub", "app.channel_layer.ConfirmedPubSubChannelLayer"),
        ("core", "app.core_layer.CoreChannelLayer"),
    ],
)
def test_channel_layer_is_chosen_by_name(environment: dict[str, str], layer: str | None, backend: str) -> None:
    environment |= {"CHANNEL_LAYER": layer} if layer else {}
    chosen = read(environment, "settings.CHANNEL_LAYERS['default']")
    assert isinstance(chosen, dict)
    assert chosen["BACKEND"] == backend
    [host] = chosen["CONFIG"]["hosts"]
    assert (host["address"], host["password"]) == (environment["REDIS_URL"], environment["REDIS_PASSWORD"])


def test_production_has_neither_debug_nor_the_in_memory_layer(environment: dict[str, str]) -> None:
    assert read(environment, "getattr(settings, 'DEBUG', False)") is False
    refused = python({**environment, "CHANNEL_LAYER": "memory"}, "-c", "import app.settings")
    assert refused.returncode == 1
    assert "CHANNEL_LAYER" in refused.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "PUBLIC_URL", "REDIS_URL", "REDIS_PASSWORD"])
def test_settings_demand_what_has_no_default(environment: dict[str, str], name: str) -> None:
    del environment[name]
    refused = python(environment, "-c", "import app.settings")
    assert refused.returncode == 1
    assert name in refused.stderr


@pytest.mark.parametrize(("largest", "in_memory"), [("1048576", 1048576), ("104857600", 2621440)])
def test_a_large_body_is_not_read_into_memory(environment: dict[str, str], largest: str, in_memory: int) -> None:
    given = {**environment, "MAX_BODY_BYTES": largest}
    assert read(given, "settings.DATA_UPLOAD_MAX_MEMORY_SIZE") == in_memory
