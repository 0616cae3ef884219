"""strawberry-graphql: queries and mutations over HTTP and WebSocket, subscriptions to a group."""

from collections.abc import AsyncGenerator

import strawberry
from channels.layers import get_channel_layer


@strawberry.type
class Query:
    hello: str = "hello"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def say(self, room: str, text: str) -> bool:
        await get_channel_layer().group_send(f"graphql_{room}", {"type": "room.said", "text": text})
        return True


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def said(self, info: strawberry.Info, room: str) -> AsyncGenerator[str, None]:
        socket = info.context["ws"]
        async with socket.listen_to_channel("room.said", groups=[f"graphql_{room}"]) as events:
            yield "listening"
            async for event in events:
                yield event["text"]


schema = strawberry.Schema(Query, Mutation, Subscription)
