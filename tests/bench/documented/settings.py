"""The settings of the documented chat room: what it needs, and nothing that it does not name."""

import os

SECRET_KEY = "of a room that lives for a minute"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "channels",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/tmp/db.sqlite3"}}  # noqa: S108
ASGI_APPLICATION = "documented.asgi.application"

LAYER = os.environ["CHANNEL_LAYER"]
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": f"channels_redis.{LAYER}.Redis{'PubSub' if LAYER == 'pubsub' else ''}ChannelLayer",
        # redis-py 8 gives up reading after 5 s, just when the core layer's BZPOPMIN answers an idle member, whose
        # socket is closed then: https://github.com/redis/redis-py/issues/4091
        "CONFIG": {"hosts": [{"address": "redis://redis:6379", **({"socket_timeout": 15} if LAYER == "core" else {})}]},
    }
}
