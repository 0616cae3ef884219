"""The only reader of the environment.

`app/settings.py` asks `env` for each variable and seals it; `python -m app.env < .env`
checks a whole `.env` before anything starts and reports every fault at once.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import idna
from dotenv import dotenv_values
from environs import EnvValidationError, FileAwareEnv, ValidationError, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# Compose reads these itself; the list is Compose's, the meaning is in its manual.
COMPOSE_OWN = frozenset(
    {
        "COMPOSE_ANSI",
        "COMPOSE_BAKE",
        "COMPOSE_DISABLE_ENV_FILE",
        "COMPOSE_ENV_FILES",
        "COMPOSE_EXPERIMENTAL",
        "COMPOSE_FILE",
        "COMPOSE_IGNORE_ORPHANS",
        "COMPOSE_MENU",
        "COMPOSE_PARALLEL_LIMIT",
        "COMPOSE_PATH_SEPARATOR",
        "COMPOSE_PROFILES",
        "COMPOSE_PROGRESS",
        "COMPOSE_PROJECT_NAME",
        "COMPOSE_REMOVE_ORPHANS",
        "COMPOSE_STATUS_STDOUT",
    }
)

# compose.yaml joins the containers with these: an operator's value would be ignored.
WIRING = frozenset(
    {"DATA_DIR", "DEBUG", "PROJECT", "REDIS_URL", "REDIS_PASSWORD", "SECRET_KEY", "SERVICE", "WEBSOCKETS"}
)

SIZE = validate.Regexp(r"^[1-9][0-9]*(b|k|kb|m|mb|g|gb)$", error="Expected a size such as 512m or 2g.")
PROJECT = validate.Regexp(
    r"^[a-z0-9][a-z0-9_-]*$", error="Expected lower-case letters, digits, hyphens and underscores."
)
# What both Django and nginx take for a host: `*`, a name or an address, a dot in front for subdomains.
ORIGIN = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[1-9][0-9]{0,4}))?"
)
# A host name with at least one letter beyond ASCII, wherever it stands.
BEYOND_ASCII = re.compile(r"(?=[\w.-]*[^\x00-\x7f])[^\s/:,.][^\s/:,]*")
HOST = re.compile(r"\*|\.?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")


class Environment(FileAwareEnv):
    """environs' reader with errors deferred to `seal()`, and the two casts that it lacks."""

    def __init__(self) -> None:
        super().__init__(eager=False, strip_whitespace=True)

    def origins(self, name: str) -> list[str]:
        """A comma-separated list of origins: scheme, host and an optional port."""
        return [value.lower() for value in self._words(name, [], origin)]

    def networks(self, name: str, default: list[str]) -> list[str]:
        """A comma-separated list of addresses and CIDR networks."""
        return self._words(name, default, _network)

    def hosts(self, name: str, default: list[str]) -> list[str]:
        """A comma-separated list of hosts in Django's forms."""
        return self._words(name, default, _host)

    def _words(self, name: str, default: list[str], check: Callable[[str], None]) -> list[str]:
        """White space around a word does not count; an empty list is no list, unless it is the default."""

        def every(values: list[str]) -> None:
            words = [value.strip() for value in values if value.strip()]
            if not words and default:
                raise ValidationError("Expected at least one.")
            for word in words:
                check(word)

        values = self.list(name, default=default, validate=every)
        return [value.strip() for value in values or [] if value.strip()]

    @property
    def names(self) -> set[str]:
        """The variables asked for so far."""
        return set(self._fields)


def origin(value: str) -> None:
    """Validates a scheme, a host and an optional port, and nothing else: no path, no final slash.

    The scheme may be an app's own (`capacitor://localhost`); `null` and `file://` have no host.
    """
    parts = ORIGIN.fullmatch(value)
    if parts is None or not _is_address_or_name(parts["host"]) or not 0 < int(parts["port"] or 1) < 65536:
        raise ValidationError(f"Expected an origin such as https://example.com:8443.{_in_ascii(value)}")


def web_address(value: str) -> None:
    """Validates the origin of a page: one that begins with http:// or https://."""
    if not value.startswith(("http://", "https://")):
        raise ValidationError("Expected http:// or https:// and a host, such as https://example.com:8443.")
    origin(value)


def _is_address_or_name(host: str) -> bool:
    """What is in brackets has to be an IPv6 address."""
    try:
        return not host.startswith("[") or bool(ipaddress.IPv6Address(host[1:-1]))
    except ValueError:
        return False


def _in_ascii(value: str) -> str:
    """How browsers send a name with letters beyond ASCII; that is what has to be written. An empty text for others."""
    name = BEYOND_ASCII.search(value)
    if name is None:
        return ""
    try:
        written = idna.encode(name.group(), uts46=True).decode()
    except idna.IDNAError:
        return ""
    return f" Write {value.replace(name.group(), written)}, as browsers do."


def _network(value: str) -> None:
    try:
        ipaddress.ip_network(value, strict=False)
        if not value.partition("/")[2].isdigit() and "/" in value:
            raise ValueError  # 10.0.0.0/255.0.0.0 is Python's, not nginx's
    except ValueError:
        raise ValidationError("Expected an address or a network such as 10.0.0.0/8.") from None


def _address(value: str) -> None:
    try:
        ipaddress.ip_address(value.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValidationError("Expected an address such as 127.0.0.1 or 0.0.0.0.") from None


def _host(value: str) -> None:
    if not HOST.fullmatch(value) or not _is_address_or_name(value):
        raise ValidationError(f"Expected hosts such as example.com, .example.com, [::1] or *.{_in_ascii(value)}")


def declare_stack(env: Environment) -> None:
    """Asks for what compose.yaml, nginx and the scripts of deploy/ read themselves.

    Only their syntax is checked here; tests/unit/test_configuration.py keeps the
    defaults equal to theirs.
    """
    env.str("BIND_ADDRESS", default="127.0.0.1", validate=_address)
    env.int("HTTP_PORT", default=8080, validate=validate.Range(1, 65535))
    env.networks(
        "ADMIN_NETWORKS",
        default=["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
    )
    env.int("PAGE_SECONDS", default=60, validate=validate.Range(1, 3600))
    env.str("COMPOSE_PROJECT_NAME", default="channels", validate=PROJECT)
    env.int("DAPHNE_REPLICAS", default=2, validate=validate.Range(1, 99))
    env.int("UVICORN_REPLICAS", default=2, validate=validate.Range(1, 99))
    env.int("WEB_CONCURRENCY", default=2, validate=validate.Range(1, 64))
    env.str("REDIS_MAXMEMORY", default="256mb", validate=SIZE)
    for service, memory, pids in (
        ("REDIS", "512m", 64),
        ("WEB", "768m", 512),
        ("DAPHNE", "512m", 128),
        ("UVICORN", "512m", 128),
        ("NGINX", "512m", 64),
    ):
        env.str(f"{service}_MEMORY", default=memory, validate=SIZE)
        env.int(f"{service}_PIDS", default=pids, validate=validate.Range(min=8))
    env.str("PYTHON_IMAGE", default="python:3.13.16-slim-trixie", validate=_not_empty)
    env.str("NGINX_IMAGE", default="nginx:1.30.5", validate=_not_empty)
    env.str("REDIS_IMAGE", default="redis:8.0.6", validate=_not_empty)
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        env.str(name, default="")
    for name in COMPOSE_OWN - {"COMPOSE_PROJECT_NAME"}:
        env.str(name, default="")


def _not_empty(value: str) -> None:
    if not value:
        raise ValidationError("Expected a value.")


def unknown(given: Iterable[str], known: set[str]) -> list[str]:
    """A sentence for each name that nobody reads, with the nearest one that somebody does."""
    faults = []
    for name in given:
        if name in WIRING or name.removesuffix("_FILE") in WIRING:
            faults.append(f"{name}: compose.yaml sets this itself; remove the line.")
        elif name not in known:
            nearest = difflib.get_close_matches(name, sorted(known - WIRING), n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else "see .env.example for the known ones."
            faults.append(f"{name}: nobody reads a variable of this name; {hint}")
    return faults


def invalid(error: EnvValidationError) -> list[str]:
    """A sentence for each variable that is missing or malformed."""
    messages: Mapping[str, list[str]] = error.error_messages  # type: ignore[assignment]  # environs: Mapping | list
    return [f"{name}: {' '.join(map(str, found))} {_received(name)}" for name, found in messages.items()]


def _received(name: str) -> str:
    return f"Received {os.environ[name]!r}." if name in os.environ else "Received nothing."


def faults(given: Mapping[str, str | None]) -> list[str]:
    """Every fault of a `.env` whose variables are `given`; an empty list is a good one."""
    from app.env import declare_stack, env  # under `-m` this module is `__main__`: settings asks the other one

    os.environ.update(dict.fromkeys(WIRING, "0"))
    # A file that .env names lies on the machine, not here; `unknown` refuses the name.
    os.environ.update({name: value or "" for name, value in given.items() if not name.endswith("_FILE")})
    declare_stack(env)
    found: list[str] = []
    try:
        from app import settings  # noqa: F401  # importing is reading
    except EnvValidationError as error:
        found = invalid(error)
    found += unknown(given, env.names)
    found += [
        f"{name}: holds a $, and only Compose would replace what follows it. Write the value itself."
        for name, value in given.items()
        if "$" in (value or "")
    ]
    return found or [*_wrong_port(), *_disagreements()]


def _wrong_port() -> list[str]:
    """A PUBLIC_URL on this machine itself, at another port than the stack's own, is another program's."""
    url, port = urlsplit(os.environ["PUBLIC_URL"]), os.environ.get("HTTP_PORT", "8080")
    if url.hostname not in {"localhost", "127.0.0.1", "::1"} or url.scheme != "http" or str(url.port or 80) == port:
        return []
    return [f"PUBLIC_URL: {url.geturl()} is not where the stack is, HTTP_PORT {port}. Set one to the other's port."]


def _disagreements() -> list[str]:
    """The rules between settings; they make sense once each value does."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "app.settings"
    import django
    from django.core import checks

    django.setup()
    found = sorted(checks.run_checks(tags=["app"]), key=lambda message: message.id or "")  # Django keeps a set
    return [f"{m.msg} {m.hint or ''}".strip() for m in found if m.is_serious()]


env = Environment()


def main() -> int:
    found = faults(dotenv_values(stream=sys.stdin, interpolate=False))
    if not found:
        return 0
    print(f"configuration: {len(found)} fault(s) in .env:", file=sys.stderr)
    for fault in found:
        print(f"  {fault}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
