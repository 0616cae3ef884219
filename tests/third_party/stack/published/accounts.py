"""A login of its own: who has an invitation is in. It gives out the tokens of the token packages, too."""

import json

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpResponseForbidden, JsonResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from rest_framework.authtoken.models import Token
from rest_framework_simplejwt.tokens import AccessToken

INVITED = {"for ann": ("ann", False), "for bob": ("bob", False), "for the boss": ("boss", True)}


@ensure_csrf_cookie
def enter(request):
    if request.method != "POST":
        return JsonResponse({"user": request.user.get_username()})
    if (invitation := request.POST.get("invitation")) not in INVITED:
        return HttpResponseForbidden()
    name, is_staff = INVITED[invitation]
    user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": is_staff})
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    token, _ = Token.objects.get_or_create(user=user)
    return JsonResponse({"user": name, "token": token.key, "jwt": str(AccessToken.for_user(user))})


class Who(AsyncJsonWebsocketConsumer):
    """Tells everyone here who speaks, as the middleware in front of it has found out."""

    groups = ("who",)

    async def receive(self, text_data=None, bytes_data=None):
        event = {"type": "who.spoke", "user": self.scope["user"].get_username(), "text": json.loads(text_data)}
        await self.channel_layer.group_send("who", event)

    async def who_spoke(self, event):
        await self.send_json({"user": event["user"], "text": event["text"]})
