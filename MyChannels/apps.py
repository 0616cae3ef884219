"""The chat rooms as a Django application."""

from django.apps import AppConfig


class MyChannelsConfig(AppConfig):
    name = "MyChannels"
    label = "mychannels"  # otherwise table names would contain capitals, which PostgreSQL requires to be quoted
    verbose_name = "Chat rooms"
