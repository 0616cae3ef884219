"""Jobs for `runworker`, and the consumer that asks for them."""

import asyncio

from channels.consumer import AsyncConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings

from .models import Note


class JobConsumer(AsyncConsumer):
    async def job_do(self, event):
        while event["held"] and not (settings.DATA_DIR / event["held"]).exists():  # noqa: ASYNC110  # a file says nothing
            await asyncio.sleep(0.05)
        await Note.objects.acreate(text=event["job"])
        await self.channel_layer.send(event["asker"], {"type": "job.done", "job": event["job"]})


class AskConsumer(AsyncJsonWebsocketConsumer):
    """`held` names a file for which the job waits, `release` makes it, and `count` says how often the job was done."""

    async def receive_json(self, content):
        if "release" in content:
            await asyncio.to_thread((settings.DATA_DIR / content["release"]).touch)
        elif "count" in content:
            await self.send_json({"done": await Note.objects.filter(text=content["count"]).acount()})
        else:
            event = {"type": "job.do", "asker": self.channel_name, "job": content["job"], "held": content.get("held")}
            await self.channel_layer.send("jobs", event)

    async def job_done(self, event):
        await self.send_json({"job": event["job"]})
