"""What deploy/lib/rolling.sh concludes from what the engine and Compose say."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = """
services:
  migrate:
    depends_on:
      redis:
        condition: service_healthy
  redis:
    image: chat-redis
  web:
    environment:
      replicas: "0"
"""
# What the script asks `docker`: the names of services, the whole configuration, and which containers match.
DOCKER = r"""
docker() {
    case "$*" in
    "compose config --services") awk '/^  [^ ]/ { sub(/:/, "", $1); print $1 }' config.yaml ;;
    "compose config"*) cat config.yaml ;;
    "compose up"*) echo "no such network" >&2; return 1 ;;
    ps*) for container in $CONTAINERS; do
        case "$*" in *"service=${container%%=*} "*"${container#*=}"*) echo "$container" ;; esac
    done ;;
    esac
}
"""


def shell(folder: Path, config: str, script: str, containers: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "config.yaml").write_text(config)
    script = f'cd "{ROOT}"; . deploy/lib/rolling.sh; cd "{folder}"; project=chat command=up\n{DOCKER}\n{script}'
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={"CONTAINERS": containers, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("service", "containers", "grown"),
    [
        ("", "", False),
        ("  extra:\n    image: other\n", "", True),
        ("  extra:\n    image: other\n", "extra=status=running", False),
        ("  extra:\n    image: other\n", "extra=exited=0", False),
        ("  extra:\n    image: other\n    scale: 0\n", "", False),
        ("  extra:\n    deploy:\n      replicas: 0\n", "", False),
    ],
    ids=["none", "new", "running", "done", "scale 0", "0 replicas"],
)
def test_a_service_that_has_yet_to_start_makes_the_stack_grow(
    tmp_path: Path, service: str, containers: str, grown: bool
) -> None:
    done = shell(tmp_path, CONFIG + service, "grown", f"web=status=running {containers}")
    assert (done.returncode == 0) is grown, done.stderr


@pytest.mark.parametrize(("service", "more"), [("", False), ("  database:\n    image: other\n", True)])
def test_what_migrate_needs_beside_redis_is_known(tmp_path: Path, service: str, more: bool) -> None:
    """`docker compose config migrate` has what it depends on, and nothing else."""
    config = CONFIG.split("  web:")[0] + service
    assert (shell(tmp_path, config, "migrate_needs_more").returncode == 0) is more


def test_what_compose_says_of_a_migrate_that_does_not_start_is_shown(tmp_path: Path) -> None:
    assert shell(tmp_path, CONFIG, "migrate || true").stderr == "no such network\n"


@pytest.mark.parametrize(
    ("settings", "what"), [("", "the build of before"), (".state/settled.yaml", "the build and the settings of before")]
)
def test_what_was_taken_back_is_said(tmp_path: Path, settings: str, what: str) -> None:
    script = f"as_before() {{ :; }}; restore_names() {{ :; }}; serving=web settings_before={settings}; take_back"
    assert shell(tmp_path, CONFIG, script).stderr.strip().endswith(f"taken back: clients resume on {what}")


# What a deployment asks when it takes the new containers back: the engine, the containers of before, Compose.
UNDOING = """
docker() {{
    case "$1 $*" in
    info*) {info} ;;
    "inspect inspect --format {{{{.State.Running}}}}"*) echo true ;;
    inspect*) {inspect} ;;
    exec*) {exec} ;;
    wait*) echo 0 ;;
    *) echo id ;;
    esac
}}
of() {{ [ "$1" = migrate ] && echo id || true; }}
restore_names() {{ {names}; }}
serving=old ENGINE_SECONDS=0 command=deploy
"""


@pytest.mark.parametrize(
    ("differs", "said"),
    [
        ({}, "the build before serves: nothing was changed for clients"),
        ({"info": "return 1"}, "the engine does not answer: nothing was taken back"),
        ({"inspect": "return 1"}, "the containers of before were removed meanwhile: nothing serves"),
        ({"names": "false"}, "the build before is not all back: the images' names are still the new build's;"),
        ({"exec": "return 1"}, "the build before is not all back: nginx does not load the configuration of before;"),
    ],
    ids=["all is back", "no engine", "removed", "a name", "nginx"],
)
def test_what_a_deployment_that_failed_says_of_what_serves_is_so(
    tmp_path: Path, differs: dict[str, str], said: str
) -> None:
    well = {"info": ":", "inspect": "echo old", "exec": ":", "names": ":"}
    done = shell(tmp_path, CONFIG, UNDOING.format(**well | differs) + "set +e; undo")
    assert said in done.stderr
    assert ("nothing was changed for clients" in done.stderr) == (not differs)


@pytest.mark.parametrize("command", ["deploy", "up"])
def test_nothing_is_said_to_serve_whose_containers_something_else_removes(tmp_path: Path, command: str) -> None:
    """As `docker compose down` does beside a deployment; the others still run for a moment."""
    gone = "echo 'No such object' >&2; return 1"
    engine = f'docker() {{ case "$1" in info) ;; stop | inspect) {gone} ;; *) echo id ;; esac; }}; whole() {{ true; }}'
    done = shell(tmp_path, CONFIG, f"{engine}; command={command}; stage=replacing; trap leave EXIT; retire old")
    assert done.returncode == 1
    assert "something else removes containers of this stack. When it has ended: make up" in done.stderr
    assert "side by side" not in done.stderr


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("", 1),
        ("    deploy:\n      replicas: 3\n", 3),
        ('    scale: "0"\n', 0),
        ("    environment:\n      replicas: 7\n", 1),
    ],
)
def test_as_many_workers_are_started_as_compose_would(tmp_path: Path, said: str, number: int) -> None:
    """An overlay may say the number, of which .env knows nothing."""
    config = f"{CONFIG}  daphne:\n    image: chat-web\n{said}"
    assert shell(tmp_path, config, "asked_for daphne").stdout == f"{number}\n"


def test_services_that_run_the_applications_image_are_replaced_after_the_others(tmp_path: Path) -> None:
    """Such as `worker`, also by the same build; a database beside them is left alone."""
    containers = ("1 web", "2 daphne", "3 worker", "4 postgres", "5 nginx")
    docker = f"""
    docker() {{
        case "$*" in
        ps*) printf '%s\\n' {" ".join(f"'{container}'" for container in containers)} ;;
        inspect*4) echo postgres ;;
        inspect*) echo chat-web ;;
        *" up "*" --force-recreate "*) echo "${{@: -1}}" >> replaced ;;
        esac
    }}
    """
    done = shell(tmp_path, CONFIG, f"{docker} sockets=daphne; renew_others")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "replaced").read_text() == "worker\n"


@pytest.mark.parametrize(
    ("mount", "volumes", "where"),
    [
        ("type: volume\n        source: redis", "  redis:\n    name: chat_redis\n", "chat_redis"),
        ("type: volume\n        source: mine", "  mine:\n    name: precious\n    external: true\n", "precious"),
        ("type: bind\n        source: /disk/of mine", "", "/disk/of mine"),
    ],
    ids=["its own", "external", "a folder"],
)
def test_where_the_data_are_is_what_compose_says(tmp_path: Path, mount: str, volumes: str, where: str) -> None:
    config = (
        "services:\n  web:\n    volumes:\n      - type: bind\n        source: /other\n        target: /data\n"
        f"  redis:\n    volumes:\n      - {mount}\n        target: /data\n        volume: {{}}\n"
        "      - type: bind\n        source: /conf\n        target: /data/conf\n"
        f"volumes:\n  data:\n    name: chat_data\n{volumes}x-app:\n  redis:\n    name: other\n"
    )
    assert shell(tmp_path, config, "mounted redis /data").stdout.strip() == where
    assert shell(tmp_path, config, "mounted redis /none").stdout.strip() == ""


@pytest.mark.parametrize(
    ("addresses", "answers"),
    [
        ("172.18.0.4:8000,[]:8000", "172.18.0.4:8000"),
        (":8000,[fd00::4]:8000", "[fd00::4]:8000"),
        ("172.18.0.4:8000,[fd00::4]:8000", "[fd00::4]:8000"),
    ],
    ids=["IPv4", "IPv6", "both"],
)
def test_a_new_container_is_seen_by_whatever_address_it_has(tmp_path: Path, addresses: str, answers: str) -> None:
    engine = f"shared() {{ echo edge; }}; service_of() {{ echo web; }}; docker() {{ echo '{addresses}'; }}; new=id"
    seen = shell(tmp_path, CONFIG, f"{engine}; answering() {{ echo '{answers}'; }}; seen")
    assert seen.returncode == 0, seen.stderr
    missed = shell(tmp_path, CONFIG, f"{engine}; answering() {{ echo '172.18.0.5:8000'; }}; SEEN_SECONDS=0; seen")
    assert f"nginx passes nothing to web at {addresses}" in missed.stderr
    silent = shell(tmp_path, CONFIG, f"{engine}; answering() {{ :; }}; SEEN_SECONDS=0; seen")
    assert silent.returncode == 1
