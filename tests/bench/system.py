"""The systems that are measured, each as compose.yaml beside this file runs it."""

from __future__ import annotations

from dataclasses import dataclass

PYTHON_VERSIONS = (
    "import importlib.metadata as it, sys; "
    "print(f'Python {sys.version_info[0]}.{sys.version_info[1]}', *(f'{n} {it.version(n)}' for n in %r), sep=', ')"
)
NODE_VERSIONS = (
    "['socket.io', '@socket.io/redis-adapter', 'redis']"
    ".map((name) => `${name} ${JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version}`)"
    ".concat(`Node ${process.version}`).join(', ')"
)


@dataclass(frozen=True)
class System:
    name: str
    title: str
    wire: str
    service: str  # of the servers, two processes in each case
    version: tuple[str, ...]  # a command in their container
    redis: str = "peers-redis"
    slow: bool = False  # cannot keep up with what the others are given


def python(*packages: str) -> tuple[str, ...]:
    return ("python", "-c", PYTHON_VERSIONS % (packages,))


SYSTEMS = (
    System(
        name="documented-core",
        title="Documented consumer, Daphne, core layer",
        wire="documented",
        service="documented-core",
        version=python("channels", "channels_redis", "daphne"),
        slow=True,
    ),
    System(
        name="documented-pubsub",
        title="Documented consumer, Daphne, pub/sub layer",
        wire="documented",
        service="documented-pubsub",
        version=python("channels", "channels_redis", "daphne"),
        slow=True,
    ),
    System(
        name="ours-daphne",
        title="Our room, Daphne",
        wire="chat.v1",
        service="daphne",
        version=python("channels", "channels_redis", "daphne", "twisted"),
        redis="redis",
    ),
    System(
        name="ours-uvicorn",
        title="Our room, uvicorn",
        wire="chat.v1",
        service="uvicorn",
        version=python("channels", "channels_redis", "gunicorn", "uvicorn", "uvloop"),
        redis="redis",
    ),
    System(
        name="socketio",
        title="Socket.IO, Redis adapter",
        wire="socketio",
        service="socketio",
        version=("node", "--print", NODE_VERSIONS),
    ),
    System(
        name="nchan",
        title="Nchan with Redis",
        wire="nchan",
        service="nchan",
        version=("dpkg-query", "--show", "--showformat", "${Package} ${Version}, ", "libnginx-mod-nchan", "nginx"),
    ),
    System(
        name="centrifugo",
        title="Centrifugo, history and recovery",
        wire="centrifugo",
        service="centrifugo",
        version=("centrifugo", "version"),
    ),
)
WAYS = ("direct", "nginx")
