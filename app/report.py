"""Checks what containers would get, before anything is changed: `deploy/resolve.sh | python -m app.report`.

Compose reads the shell, `.env`, further files, overlays and defaults. This module reads none of these itself.
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
# NAME=…$…, perhaps after `export`. Compose's value is compared with the text in the file.
WITH_DOLLAR = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*[=:]\s*(.*\$.*)")

Variables = dict[str, str | None]


@dataclass
class Reading:
    """What deploy/resolve.sh got from Compose."""

    unreadable: list[str] = field(default_factory=list)  # a message for each line that Compose cannot read
    dollars: list[str] = field(default_factory=list)  # the files' lines with a $
    shell: list[str] = field(default_factory=list)  # names set in the shell, which wins over the files
    written: list[Variables] = field(default_factory=list)  # the variables in each file; a later file wins
    variables: Variables = field(default_factory=dict)  # the effective values; None means not set
    model: dict[str, Any] | None = None  # the resolved project
    refusal: str = ""  # or Compose's reason for refusing it


def parse(text: str) -> Reading:
    """Parses sections that begin with `==== NAME`."""
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
    """Undoes the doubling of each $ in the output of `docker compose config`."""
    return {
        name: None if value is None else str(value).replace("$$", "$")
        for name, value in (service.get("environment") or {}).items()
    }


def report(reading: Reading) -> list[str]:
    """Every fault. An empty list means a valid configuration."""
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
    """The effective values, the sources of those that do not come from a file, and all values of services that get
    different ones."""
    # resolve.sh reads Compose's own variables by name only if the shell has them.
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
        for name in its.keys() - common.keys():  # from an overlay, or a default of compose.yaml
            common[name], sources[name] = its[name], f"in the environment of {service}"
    others = {
        service: common | its
        for service, its in given.items()
        if any(common[name] not in (value, "") for name, value in its.items())
    }
    return common, sources, others


def _ours(name: str) -> bool:
    """Skips `…_FILE`: such a file is on the host, not in this container. `unknown` refuses these names."""
    return name == "COMPOSE_FILE" or (name not in WIRING and not name.endswith("_FILE"))


def _shapes(variables: Mapping[str, str]) -> list[str]:
    """Values that different readers parse differently: one strips white space, the next one does not."""
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
    """The faults of each variable, or if there are none, of those that contradict each other.

    Works only once per process, because importing the settings reads the environment.
    """
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
    """Runs `values` in a new process."""
    done = subprocess.run(
        [sys.executable, "-m", "app.report", "--values"],
        input=json.dumps(variables),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def _whole_numbers(variables: Mapping[str, str]) -> list[str]:
    """Python also accepts 1_000, +1 and digits of other scripts. Compose, nginx and the engine do not."""
    return [
        f"{name}: Expected digits alone, as in {value}. Received {variables[name]!r}."
        for name, value in env.dump().items()
        if isinstance(value, int) and not isinstance(value, bool) and variables.get(name, str(value)) != str(value)
    ]


def _wrong_address() -> list[str]:
    """A PUBLIC_URL on this machine where the stack does not listen would lead to another program."""
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
    """Checks the rules between settings. Each value must be valid before."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "app.settings"
    import django
    from django.core import checks

    django.setup()
    found = sorted(checks.run_checks(tags=["app"]), key=lambda message: message.id or "")  # Django's set has no order
    return [f"{m.msg} {m.hint or ''}".strip() for m in found if m.is_serious()]


def _names(model: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    """Refuses a project name from an overlay, because the scripts of deploy/ read no overlays."""
    name = variables.get("COMPOSE_PROJECT_NAME", model["name"])
    if name == model["name"]:
        return []
    return [
        f"COMPOSE_PROJECT_NAME: an overlay calls the project {model['name']}. Say COMPOSE_PROJECT_NAME={model['name']}."
    ]


def _replicas(model: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    """Refuses a number in an overlay that differs from the variable: `make scale` sets the variable, which would then
    have no effect."""
    found = []
    for service, its in model["services"].items():
        name = f"{service.upper()}_REPLICAS"
        if (said := variables.get(name)) and name in env.names and int(said) != replicas(its):
            found.append(
                f"{name}: {said} has no effect, an overlay sets {replicas(its)}. Remove the number from the overlay, "
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
