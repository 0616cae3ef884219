"""Django's settings in one flat file. Values that differ between machines come from the environment."""

from pathlib import Path
from urllib.parse import urlsplit

from environs import validate

from app.env import env, web_address
from app.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent

# ── From the environment; docs/configuration.md explains each ──────────────────────────────────

SECRET_KEY = env.str("SECRET_KEY")
PUBLIC_URL = env.str("PUBLIC_URL", validate=web_address)
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
ALLOWED_ORIGINS = env.origins("ALLOWED_ORIGINS")

DATA_DIR = env.path("DATA_DIR", default=BASE_DIR / "data")
DEBUG = env.bool("DEBUG", default=False)  # only `make dev` sets it
CHANNEL_LAYER = env.str(
    "CHANNEL_LAYER", default="pubsub", validate=validate.OneOf(["pubsub", "core", *(["memory"] if DEBUG else [])])
)
REDIS_URL = env.str("REDIS_URL") if CHANNEL_LAYER != "memory" else ""
REDIS_PASSWORD = env.str("REDIS_PASSWORD") if CHANNEL_LAYER != "memory" else ""

MAX_MESSAGE_BYTES = env.int("MAX_MESSAGE_BYTES", default=65536, validate=validate.Range(1024, 16 * 2**20))
MAX_TEXT_LENGTH = env.int("MAX_TEXT_LENGTH", default=4000, validate=validate.Range(1, 10**6))  # code points
MESSAGE_RATE = env.int("MESSAGE_RATE", default=50, validate=validate.Range(1, 10_000))  # per second and connection
PING_SECONDS = env.int("PING_SECONDS", default=20, validate=validate.Range(1, 3600))  # nginx and daphne read it too
# What nginx and the servers accept of one request, in bytes. nginx accepts 4,096 more of headers, for the request line
# and what every browser sends. It also adds headers of its own, so a server must accept 8,192 more.
MAX_HEADER_BYTES = env.int("MAX_HEADER_BYTES", default=16384, validate=validate.Range(4096, 65536))
MAX_BODY_BYTES = env.int("MAX_BODY_BYTES", default=2**20, validate=validate.Range(16384, 2**30))
PRESENCE_LIMIT = env.int("PRESENCE_LIMIT", default=200, validate=validate.Range(min=0))  # members
ROOM_LOG_LENGTH = env.int("ROOM_LOG_LENGTH", default=10_000, validate=validate.Range(1, 10**6))  # messages
ROOM_LOG_SECONDS = env.int("ROOM_LOG_SECONDS", default=86_400, validate=validate.Range(60, 10**8))
# compose.yaml's stop_grace_period is set for the maximum.
DRAIN_SECONDS = env.int("DRAIN_SECONDS", default=10, validate=validate.Range(0, 60))
STALL_SECONDS = env.int("STALL_SECONDS", default=60, validate=validate.Range(1, 3600))  # nginx reads it too

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"]))
SERVICE = env.str("SERVICE", default="manage")  # the compose service, for the log
PROJECT = env.str("PROJECT", default="channels")  # the compose project, for the cookies' names

env.seal()

# ── Applications ───────────────────────────────────────────────────────────────────────────────

INSTALLED_APPS = [
    "app",  # first: its runserver replaces Django's
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "MyChannels",
]
MIDDLEWARE = [
    "app.streaming.in_parts",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "app.csrf.CsrfMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "app.urls"
ASGI_APPLICATION = "app.routing.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# ── Channel layer ──────────────────────────────────────────────────────────────────────────────

_REDIS_HOST = {"address": REDIS_URL, "password": REDIS_PASSWORD}
CHANNEL_LAYERS = {
    "default": {
        "pubsub": {
            "BACKEND": "app.channel_layer.ConfirmedPubSubChannelLayer",
            "CONFIG": {"hosts": [_REDIS_HOST]},
        },
        "core": {
            "BACKEND": "app.core_layer.CoreChannelLayer",
            # Above `capacity` the layer drops messages silently. The queue is per process, not per
            # member, so the default of 100 loses messages in any busy room.
            # redis-py 8's reads time out after 5 s, just when the layer's BZPOPMIN returns for an idle
            # member. Its socket would be closed: https://github.com/redis/redis-py/issues/4091
            "CONFIG": {"hosts": [{**_REDIS_HOST, "socket_timeout": 15}], "capacity": 10_000},
        },
        "memory": {"BACKEND": "app.channel_layer.NamingMemoryChannelLayer"},
    }[CHANNEL_LAYER]
}

# ── Database ───────────────────────────────────────────────────────────────────────────────────

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA_DIR / "db.sqlite3",
        "OPTIONS": {
            # Several processes share one file. With WAL, readers do not block the writer. IMMEDIATE makes
            # a writer wait at the start of its transaction instead of failing midway.
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,  # seconds
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
        },
    }
}

# ── Pages ──────────────────────────────────────────────────────────────────────────────────────

# nginx refuses longer bodies. Files, and bodies that no view has read yet, are on disk (TMPDIR) except for their first
# bytes, so that many simultaneous uploads do not fill the memory.
# Django's own limit applies to what it reads into memory: request.body and a form's fields.
DATA_UPLOAD_MAX_MEMORY_SIZE = min(MAX_BODY_BYTES, 2_621_440)
FILE_UPLOAD_MAX_MEMORY_SIZE = 65536

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "MyChannels.storage.ModuleStaticFilesStorage"},
}

# ── Security: everything that needs https is on if PUBLIC_URL begins with https ────────────────

HTTPS = PUBLIC_URL.startswith("https://")
# Browsers keep cookies by host, whatever the port. So two projects on one host need different names, and so do two
# machines behind one host, whose projects may have the same name.
_OWN = f"{PROJECT}_{urlsplit(PUBLIC_URL).port or (443 if HTTPS else 80)}"
SESSION_COOKIE_NAME = f"sessionid_{_OWN}"
CSRF_COOKIE_NAME = f"csrftoken_{_OWN}"
LANGUAGE_COOKIE_NAME = f"language_{_OWN}"
# Not Django's default, whose cookie cannot be renamed.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
# nginx sets this header itself, whatever the client sent.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
# For sockets and forms (app/origins.py). PUBLIC_URL is what people type, whatever Host a proxy sends.
OWN_ORIGINS = [PUBLIC_URL, *ALLOWED_ORIGINS]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]  # app/csrf.py translates the others
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0  # one year
SILENCED_SYSTEM_CHECKS = [
    # Subdomains and browsers' preload lists concern the whole domain, so its owner must decide.
    "security.W005",
    "security.W021",
    # These four require https.
    *([] if HTTPS else ["security.W004", "security.W008", "security.W012", "security.W016"]),
]

# ── Logs ───────────────────────────────────────────────────────────────────────────────────────

LOGGING = logging_config(level=LOG_LEVEL, service=SERVICE, readable=DEBUG)
