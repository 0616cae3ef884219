"""The only reader of the environment: `app/settings.py` asks `env` for each variable and seals it.

app/report.py checks what containers would get before anything starts, and reports every fault at once.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from typing import TYPE_CHECKING

import idna
from environs import EnvValidationError, FileAwareEnv, ValidationError, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# Compose's own list of the variables that it reads itself. Its manual explains them.
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

# compose.yaml sets these itself; an operator's value would be ignored.
WIRING = frozenset(
    {"DATA_DIR", "DEBUG", "PROJECT", "REDIS_URL", "REDIS_PASSWORD", "SECRET_KEY", "SERVICE", "WEBSOCKETS"}
)

# Channels' names, but without a leading hyphen, which runworker would take for an option.
CHANNEL = r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,98}"
CHANNELS = validate.Regexp(rf"^({CHANNEL}( +{CHANNEL})*)?$", error="Expected names of channels, separated by blanks.")

# The text between // and @ in an address may be a password.
CREDENTIALS = re.compile(r"//[^/@]*@")
# Compose reads a size with more digits as a negative number, and so as no limit.
SIZE = validate.Regexp(r"^[1-9]([0-9]{0,8}(k|kb|m|mb|g|gb)|[0-9]{0,14}b)$", error="Expected a size such as 512m or 2g.")
MOST_PIDS = 4_194_304  # the kernel's own limit: https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html, pid_max
# https://github.com/distribution/reference: what the engine accepts as an image.
IMAGE = validate.Regexp(
    r"^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$",
    error="Expected an image such as python:3.13-slim or registry.example:5000/python@sha256:….",
)
# deploy/dotenv.sh checks it before anything is built, because images are named after it: PROJECT-SERVICE.
PROJECT = validate.Regexp(
    r"^[a-z0-9]+((_|__|-+)[a-z0-9]+)*-*$",
    error="Expected lower-case letters, digits and hyphens, and one or two underscores between them.",
)
INDEX = validate.Regexp(r"^(https?://\S+( +https?://\S+)*)?$", error="Expected https:// and a host, or nothing.")
PROXY = validate.Regexp(
    r"^(([A-Za-z0-9]+://)?([^\s/@]*@)?[^\s/@]+/?)?$", error="Expected a proxy such as http://proxy.example:3128."
)
NO_PROXY = validate.Regexp(r"^[^\s,]*( *, *[^\s,]*)*$", error="Expected hosts, separated by commas.")
YES_OR_NO = validate.OneOf(["", "true", "false", "1", "0"])
NETWORK = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]+)?")
ORIGIN = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[1-9][0-9]{0,4}))?"
)
IN_BRACKETS = re.compile(r"\[[0-9A-Fa-f:.]+\]")
# A host name with at least one non-ASCII letter, anywhere in the value.
BEYOND_ASCII = re.compile(r"(?=[\w.-]*[^\x00-\x7f])[^\s/:,.][^\s/:,]*")
LONGEST_HOST = 253  # https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4; nginx.conf has room for this many
HOST = re.compile(r"\*|\.?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")


class Environment(FileAwareEnv):
    """environs' reader, with errors deferred to `seal()` and the casts that it lacks."""

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
        """Strips white space around each word. Refuses an empty list, unless it is the default."""

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
        """The variables read so far."""
        return set(self._fields)


def origin(value: str) -> None:
    """Accepts only a scheme, a host and an optional port: no path, no final slash.

    The scheme may be an app's own (`capacitor://localhost`). `null` and `file://` have no host and are refused.
    """
    parts = ORIGIN.fullmatch(value)
    if parts is None or not _is_address_or_name(parts["host"]) or not 0 < int(parts["port"] or 1) < 65536:
        raise ValidationError(f"Expected an origin such as https://example.com:8443.{_as_browsers_do(value)}")


def web_address(value: str) -> None:
    """Accepts only an origin that begins with http:// or https://."""
    if not value.startswith(("http://", "https://")):
        raise ValidationError("Expected http:// or https:// and a host, such as https://example.com:8443.")
    origin(value)


def _is_address_or_name(host: str) -> bool:
    """Whether a host in brackets is an IPv6 address as browsers write it. It is compared with what they send."""
    return not host.startswith("[") or host.lower() == _shortest(host)


def _shortest(address: str) -> str:
    try:
        return f"[{ipaddress.IPv6Address(address[1:-1])}]"
    except ValueError:
        return ""


def _as_browsers_do(value: str) -> str:
    """A hint how browsers send this IPv6 address or non-ASCII name, which is how it must be written. Empty for other
    values."""
    address = IN_BRACKETS.search(value)
    if address and not _is_address_or_name(address.group()) and (better := _shortest(address.group())):
        return f" Write {value.replace(address.group(), better)}, as browsers do."
    name = BEYOND_ASCII.search(value)
    if name is None:
        return ""
    try:
        written = _encoded(name.group())
    except idna.IDNAError:
        return ""
    return f" Write {value.replace(name.group(), written)}, as browsers do." if HOST.fullmatch(written) else ""


def _encoded(name: str) -> str:
    """Browsers also accept names that IDNA 2008 does not allow, such as an emoji: https://url.spec.whatwg.org/#idna."""
    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError:
        labels = idna.uts46_remap(name, std3_rules=False).split(".")
    return ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels)


def _network(value: str) -> None:
    if value == "gateway":  # services/nginx/nginx-environment.sh looks up its address
        return
    try:
        ipaddress.ip_network(value, strict=False)
        if not NETWORK.fullmatch(value):
            raise ValueError  # Python accepts 10.0.0.0/255.0.0.0 and fe80::1%eth0, nginx does not
    except ValueError:
        raise ValidationError("Expected an address, a network such as 10.0.0.0/8, or gateway.") from None


def _bind_address(value: str) -> None:
    """Accepts what Compose accepts in `ports`, where a colon would end an IPv6 address without brackets."""
    bare = value.removeprefix("[").removesuffix("]")
    try:
        version: int = ipaddress.ip_address(bare).version
    except ValueError:
        version = 0
    if "%" in value or value != {4: bare, 6: f"[{bare}]"}.get(version):
        better = {4: f" Write {bare}.", 6: f" Write [{bare}]."}.get(version, "")
        raise ValidationError(f"Expected an address such as 127.0.0.1, 0.0.0.0 or [::].{better}")


def _host(value: str) -> None:
    if not HOST.fullmatch(value) or len(value) > LONGEST_HOST or not _is_address_or_name(value):
        raise ValidationError(f"Expected hosts such as example.com, .example.com, [::1] or *.{_as_browsers_do(value)}")


def declare_stack(env: Environment) -> None:
    """Reads the variables that compose.yaml, nginx and the scripts of deploy/ use.

    This checks only their syntax. tests/unit/test_configuration.py keeps the defaults equal to theirs.
    """
    env.str("BIND_ADDRESS", default="127.0.0.1", validate=_bind_address)
    env.int("HTTP_PORT", default=8080, validate=validate.Range(1, 65535))
    env.networks(
        "ADMIN_NETWORKS",
        default=["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
    )
    env.int("PAGE_SECONDS", default=60, validate=validate.Range(1, 3600))
    env.str("COMPOSE_PROJECT_NAME", default="channels", validate=PROJECT)
    env.int("DAPHNE_REPLICAS", default=2, validate=validate.Range(1, 99))
    env.int("UVICORN_REPLICAS", default=2, validate=validate.Range(1, 99))
    env.str("WORKER_CHANNELS", default="", validate=CHANNELS)
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
        env.int(f"{service}_PIDS", default=pids, validate=validate.Range(8, MOST_PIDS))
    env.str("PYTHON_IMAGE", default="python:3.13.16-slim-trixie", validate=IMAGE)
    env.str("NGINX_IMAGE", default="nginx:1.30.5", validate=IMAGE)
    env.str("REDIS_IMAGE", default="redis:8.0.6", validate=IMAGE)
    for name, rule in (
        ("PIP_INDEX_URL", INDEX),
        ("PIP_EXTRA_INDEX_URL", INDEX),
        ("HTTP_PROXY", PROXY),
        ("HTTPS_PROXY", PROXY),
        ("NO_PROXY", NO_PROXY),
    ):
        env.str(name, default="", validate=rule)
    _declare_composes_own(env)


def _declare_composes_own(env: Environment) -> None:
    """https://docs.docker.com/compose/how-tos/environment-variables/envvars/"""
    rules: dict[str, Callable[[str], object]] = {
        "COMPOSE_ANSI": validate.OneOf(["", "auto", "never", "always"]),
        "COMPOSE_FILE": _compose_files,
        "COMPOSE_PARALLEL_LIMIT": validate.Regexp(
            r"^(-1|[1-9][0-9]*)?$", error="Expected a number, or -1 for no limit."
        ),
        "COMPOSE_PATH_SEPARATOR": validate.Regexp(r"^\S?$", error="Expected one character."),
        "COMPOSE_PROFILES": validate.Regexp(
            r"^(\*|[A-Za-z0-9][A-Za-z0-9_.-]*(,[A-Za-z0-9][A-Za-z0-9_.-]*)*)?$",
            error="Expected names of profiles, separated by commas.",
        ),
        "COMPOSE_PROGRESS": validate.OneOf(["", "auto", "tty", "plain", "json", "quiet"]),
    }
    for name in COMPOSE_OWN - {"COMPOSE_ENV_FILES", "COMPOSE_PROJECT_NAME"}:
        env.str(name, default="", validate=rules.get(name, YES_OR_NO))
    env.str("COMPOSE_ENV_FILES", default="")  # Compose itself has found these files


def _compose_files(value: str) -> None:
    """compose.yaml must come first: Compose looks for `.env` and resolves paths in the first file's folder."""
    separator = os.environ.get("COMPOSE_PATH_SEPARATOR") or ":"
    if value and not re.fullmatch(r"(\./|/.*/)?compose\.yaml", value.split(separator)[0]):
        raise ValidationError(f"Expected compose.yaml first, such as compose.yaml{separator}deploy/uvicorn.yaml.")


def unknown(given: Iterable[str], known: set[str]) -> list[str]:
    """A message for each name that nothing reads, with the most similar known name."""
    faults = []
    for name in given:
        if name in WIRING or name.removesuffix("_FILE") in WIRING:
            faults.append(f"{name}: compose.yaml sets this itself; remove the line.")
        elif name not in known:
            nearest = difflib.get_close_matches(name, sorted(known - WIRING), n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else "see .env.example for the known ones."
            faults.append(f"{name}: nothing reads a variable of this name; {hint}")
    return faults


def invalid(error: EnvValidationError, sources: Mapping[str, str] | None = None) -> list[str]:
    """A message for each variable that is missing or malformed, with its source unless that is a file."""
    messages: Mapping[str, list[str]] = error.error_messages  # type: ignore[assignment]  # environs: Mapping | list
    return [
        f"{name}: {' '.join(map(str, found))} {_received(name, (sources or {}).get(name))}"
        for name, found in messages.items()
    ]


def _received(name: str, source: str | None) -> str:
    if name not in os.environ:
        return "Received nothing."
    return f"Received {CREDENTIALS.sub('//…@', os.environ[name])!r}{f', {source}' if source else ''}."


env = Environment()
