from channels.routing import ChannelNameRouter
from channels_auth_token_middlewares.middleware import DRFAuthTokenMiddlewareStack, SimpleJWTAuthTokenMiddlewareStack
from django.urls import path, re_path
from django_channels_jwt_auth_middleware.auth import JWTAuthMiddlewareStack
from strawberry.channels import GraphQLHTTPConsumer, GraphQLWSConsumer

from . import accounts, graphql, jobs, multichat, notes, streams, tutorial, typed

who = accounts.Who.as_asgi()
websocket_urlpatterns = [
    # As in the tutorial, which has the same path as our room.
    re_path(r"ws/chat/(?P<room_name>\w+)/$", tutorial.AsyncChat.as_asgi()),
    re_path(r"ws/synchronous/chat/(?P<room_name>\w+)/$", tutorial.SyncChat.as_asgi()),
    path("graphql", GraphQLWSConsumer.as_asgi(schema=graphql.schema)),
    path("notes", notes.NoteConsumer.as_asgi()),
    path("typed", typed.TypedConsumer.as_asgi()),
    path("sender", streams.Sender.as_asgi()),
    path("multichat", multichat.MultiChatConsumer.as_asgi()),
    path("who/token", DRFAuthTokenMiddlewareStack(who)),
    path("who/simplejwt", SimpleJWTAuthTokenMiddlewareStack(who)),
    path("who/jwt", JWTAuthMiddlewareStack(who)),
    path("ask", jobs.AskConsumer.as_asgi()),
]
http_urlpatterns = [
    path("graphql", GraphQLHTTPConsumer.as_asgi(schema=graphql.schema)),
    path("events", streams.Events.as_asgi()),
    path("poll", streams.Poll.as_asgi()),
]
channels = ChannelNameRouter({"jobs": jobs.JobConsumer.as_asgi()})
