"""What containers would get, checked before anything is touched: `deploy/resolve.sh | python -m app.report`.

Compose is the reader of shell, `.env`, further files, overlays and defaults. Nothing here reads any of these itself.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from environs import EnvValidationError

from app.containers import contradictions, replicas
from app.env import WIRING, declare_stack, env, invalid, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

SHELL_ONLY = ("COMPOSE_DISABLE_ENV_FILE", "COMPOSE_ENV_FILES")
LOOPBACK = re.compile(r"localhost|127(\.[0-9]+){3}|::1")
# NAME=…$…, perhaps with `export` before it; what Compose makes of it is compared with what stands there.
WITH_DOLLAR = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*[=:]\s*(.*\$.*)")

Variables = dict[str, str | None]


@dataclass
class Reading:
    """What deploy/resolve.sh has got from Compose."""

    unreadable: list[str] = field(default_factory=list)  # a sentence for each line that Compose cannot read
    dollars: list[str] = field(default_factory=list)  # the files' lines with a $
    shell: list[str] = field(default_factory=list)  # names that are set there, which wins over the files
    written: list[Variables] = field(default_factory=list)  # what each file says; a later one wins
    variables: Variables = field(default_factory=dict)  # what counts; None is not set
    model: dict[str, Any] | None = None  # the resolved project
    refusal: str = ""  # or why Compose has none


def parse(text: str) -> Reading:
    """Sections that begin with `==== NAME`."""
    sections = {
        head: body for head, _, body in (part.partition("\n") for part in re.split(r"^==== ", text, flags=re.M))
    }
    lines = {name: body.splitlines() for name, body in sections.items()}
    reading = Reading(lines.get("unreadable", []), lines.get("dollars", []), lines.get("shell", []))
    if variables := sections.get("variables", "").strip():
        services = json.loads(variables)["services"]
        reading.variables = _environment(services["variables"])
        reading.written = [_environment(services[name]) for name in sorted(services) if name != "variables"]
    if model := sections.get("model", "").strip():
        reading.model = json.loads(model)
    reading.refusal = " ".join(sections.get("refusal", "").split())
    return reading


def _environment(service: Mapping[str, Any]) -> Variables:
    """`docker compose config` doubles each $, so that its output could be read again."""
    return {
        name: None if value is None else str(value).replace("$$", "$")
        for name, value in (service.get("environment") or {}).items()
    }


def report(reading: Reading) -> list[str]:
    """Every fault; an empty list is a good configuration."""
    written = {name: value for file in reading.written for name, value in file.items()}
    variables, sources, others = _environments(reading, written)
    found = [*reading.unreadable, *_shapes(variables), *_dollars(reading.dollars, written)]
    named = {_name(fault) for fault in found}
    found += [fault for fault in values(variables, list(written), sources) if _name(fault) not in named]
    for service, its in others.items():
        found += [f"{service}: {fault}" for fault in _values_elsewhere(its) if fault not in found]
    if not found and reading.refusal:
        found = [f"docker compose config: {reading.refusal}"]
    if not found and reading.model:
        found = [
            *_names(reading.model, variables),
            *_replicas(reading.model, variables),
            *contradictions(reading.model),
        ]
    return found


def _name(fault: str) -> str:
    return fault.partition(":")[0]


def _environments(
    reading: Reading, written: Variables
) -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, str]]]:
    """What counts, where it does not come from a file, and what a service gets that is something else."""
    # Compose's own variables are asked for by name only where the shell has them.
    common = {name: value for name, value in (written | reading.variables).items() if value is not None and _ours(name)}
    sources = {
        name: "set in the shell, which wins over .env"
        if common.get(name)
        else f"set and empty in the shell: unset {name}"
        for name in reading.shell
    }
    services = (reading.model or {}).get("services", {})
    given = {
        service: {name: value for name, value in _environment(its).items() if value is not None and _ours(name)}
        for service, its in services.items()
    }
    for service, its in given.items():
        for name in its.keys() - common.keys():  # an overlay's, or a default of compose.yaml
            common[name], sources[name] = its[name], f"in the environment of {service}"
    others = {
        service: common | its
        for service, its in given.items()
        if any(common[name] not in (value, "") for name, value in its.items())
    }
    return common, sources, others


def _ours(name: str) -> bool:
    """A file that a variable names lies on the machine, not here; `unknown` refuses the name."""
    return name == "COMPOSE_FILE" or (name not in WIRING and not name.endswith("_FILE"))


def _shapes(variables: Mapping[str, str]) -> list[str]:
    """What readers take differently: one strips it, the next one does not."""
    found = []
    for name, value in variables.items():
        if "\t" in value and "#" in value:
            found.append(
                f"{name}: a tab and a # are part of the value {value!r}. A comment begins with a space and a #."
            )
        elif not value.isprintable():
            found.append(f"{name}: a line break, a tab or another invisible character is part of the value {value!r}.")
        elif value != value.strip():
            found.append(f"{name}: a blank at the beginning or the end is part of the value {value!r}.")
    return found


def _dollars(lines: list[str], written: Variables) -> list[str]:
    found = []
    for name, text in (match.groups() for line in lines if (match := WITH_DOLLAR.fullmatch(line.rstrip()))):
        if name not in written:
            continue  # Compose cannot read the line
        value = re.escape(written[name] or "")
        as_written = re.compile(rf"(['\"]?){value}\1\s*(#.*)?")
        if not as_written.fullmatch(text) and not as_written.fullmatch(text.replace(r"\$", "$")):
            found.append(
                f"{name}: Compose replaces a $ and the name behind it. Write the value itself, and where the $ belongs "
                f"to it in single quotes: {name}='…$…'"
            )
    return found


# ── Each value ─────────────────────────────────────────────────────────────────────────────────


def values(variables: Mapping[str, str], written: list[str], sources: Mapping[str, str]) -> list[str]:
    """The faults of each variable, or else of those that disagree. Once in a process: importing settings is reading."""
    os.environ.update(dict.fromkeys(WIRING, "0"))
    # No process can have a zero byte in its environment.
    os.environ.update({name: value for name, value in variables.items() if "\0" not in value})
    declare_stack(env)
    found = []
    try:
        from app import settings  # noqa: F401
    except EnvValidationError as error:
        found = invalid(error, sources)
    found += [
        f"{name}: Compose reads this from the shell alone; remove the line." for name in SHELL_ONLY if name in written
    ]
    found += unknown(written, env.names | set(SHELL_ONLY))
    return found or _whole_numbers(variables) or [*_wrong_address(), *_disagreements()]


def _values_elsewhere(variables: Mapping[str, str]) -> list[str]:
    """The same in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "app.report", "--values"],
        input=json.dumps(variables),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def _whole_numbers(variables: Mapping[str, str]) -> list[str]:
    """Python reads 1_000, +1 and digits of other scripts too; Compose, nginx and the engine do not."""
    return [
        f"{name}: Expected digits alone, as in {value}. Received {variables[name]!r}."
        for name, value in env.dump().items()
        if isinstance(value, int) and not isinstance(value, bool) and variables.get(name, str(value)) != str(value)
    ]


def _wrong_address() -> list[str]:
    """A PUBLIC_URL on this machine itself, where the stack does not listen, is another program's."""
    url, port = urlsplit(os.environ["PUBLIC_URL"]), os.environ.get("HTTP_PORT", "8080")
    host = (url.hostname or "").removesuffix(".")
    if not LOOPBACK.fullmatch(host) or url.scheme != "http":
        return []
    if str(url.port or 80) != port:
        return [f"PUBLIC_URL: {url.geturl()} is not where the stack is, HTTP_PORT {port}. Set one to the other's port."]
    address = os.environ.get("BIND_ADDRESS", "127.0.0.1")
    if address == "0.0.0.0":  # noqa: S104
        heard = host != "::1"
    elif address in {"[::]", "[::1]"}:
        heard = host in {"localhost", "::1"}
    else:
        heard = host == address or (host == "localhost" and address == "127.0.0.1")
    if heard:
        return []
    return [f"PUBLIC_URL: {url.geturl()} is not where the stack is, BIND_ADDRESS {address}. Set one to the other's."]


def _disagreements() -> list[str]:
    """The rules between settings; they make sense once each value does."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "app.settings"
    import django
    from django.core import checks

    django.setup()
    found = sorted(checks.run_checks(tags=["app"]), key=lambda message: message.id or "")  # Django keeps a set
    return [f"{m.msg} {m.hint or ''}".strip() for m in found if m.is_serious()]


def _names(model: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    """The scripts of deploy/ read no overlay."""
    name = variables.get("COMPOSE_PROJECT_NAME", model["name"])
    if name == model["name"]:
        return []
    return [
        f"COMPOSE_PROJECT_NAME: an overlay calls the project {model['name']}. Say COMPOSE_PROJECT_NAME={model['name']}."
    ]


def _replicas(model: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    """`make scale` writes the variable, which an overlay's own number would leave without any effect."""
    found = []
    for service, its in model["services"].items():
        name = f"{service.upper()}_REPLICAS"
        if (said := variables.get(name)) and name in env.names and int(said) != replicas(its):
            found.append(
                f"{name}: {said} does not count, an overlay says {replicas(its)}. Take the number out of the overlay, "
                f"or say {name}={replicas(its)}."
            )
    return found


def main() -> int:
    if sys.argv[1:] == ["--values"]:
        print("\n".join(values(json.load(sys.stdin), [], {})))
        return 0
    found = report(parse(sys.stdin.read()))
    if not found:
        return 0
    print(f"configuration: {len(found)} fault(s):", file=sys.stderr)
    for fault in found:
        print(f"  {fault}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
