"""`manage.py runworker`, Channels' own command with our worker."""

from channels.management.commands.runworker import Command as ChannelsCommand

from app.worker import Worker


class Command(ChannelsCommand):
    worker_class = Worker
