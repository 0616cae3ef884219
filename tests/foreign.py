"""What `make check` leaves out: the folders of `foreign` in pyproject.toml, as each tool wants them.

Run inside the test image by tests/check.sh: python -m tests.foreign ruff|mypy|vulture|typos|eslint|own|apps …
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

PROJECT = Path("pyproject.toml")


def folders(text: str) -> list[str]:
    listed: list[str] = tomllib.loads(text).get("tool", {}).get("channels-stack", {}).get("foreign", [])
    return [folder.strip("/") for folder in listed]


def is_foreign(path: str, foreign: Iterable[str]) -> bool:
    path = path.removeprefix("./")
    return any(path == folder or path.startswith(f"{folder}/") for folder in foreign)


def mypy_settings(text: str, foreign: Iterable[str]) -> str:
    """Our own code may import what is foreign; errors there are not ours."""
    modules = [name for folder in foreign for name in (folder.replace("/", "."), folder.replace("/", ".") + ".*")]
    return (
        f"{text}\n[[tool.mypy.overrides]]\nmodule = {json.dumps(modules)}\nignore_errors = true\n" if modules else text
    )


def options(tool: str, foreign: Sequence[str]) -> list[str]:
    """Options of the tool's command."""
    if not foreign:
        return []
    match tool:
        case "ruff":
            return ["--config", f"extend-exclude = {json.dumps(list(foreign))}"]
        case "mypy":
            return ["--exclude", "^(" + "|".join(re.escape(folder) for folder in foreign) + ")/"]
        case "vulture":
            return ["--exclude", ",".join(f"*/{folder}/*" for folder in foreign)]
        case "typos":
            return [f"--exclude={folder}/" for folder in foreign]
        case "eslint":
            return [f"--ignore-pattern={folder}/" for folder in foreign]
    raise ValueError(tool)


def own_apps(foreign: Sequence[str]) -> list[str]:
    import django

    django.setup()
    from django.apps import apps
    from django.conf import settings

    from app.management.commands.makemigrations import is_own

    configs = [config for config in apps.get_app_configs() if is_own(Path(config.path))]
    return [
        config.label
        for config in configs
        if not is_foreign(str(Path(config.path).relative_to(settings.BASE_DIR)), foreign)
    ]


def main(tool: str, *paths: str) -> None:
    text = PROJECT.read_text()
    foreign = folders(text)
    if tool == "settings":
        lines = [mypy_settings(text, foreign)]
    elif tool == "own":
        lines = [path for path in paths if not is_foreign(path, foreign)]
    elif tool == "apps":
        lines = own_apps(foreign)
    else:
        lines = options(tool, foreign)
    for line in lines:
        print(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
