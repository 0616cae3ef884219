"""The chat rooms as a Django application."""

from django.apps import AppConfig


class MyChannelsConfig(AppConfig):
    name = "MyChannels"
    label = "mychannels"  # tables would else carry capitals, which PostgreSQL wants quoted for ever
    verbose_name = "Chat rooms"
