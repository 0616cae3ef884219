"""djangochannelsrestframework: observers hear of what other workers, and pages, do to a model."""

from websockets.asyncio.client import ClientConnection

from tests.stack.clone import Clone
from tests.stack.wire import send
from tests.third_party.stack.workers import heard, on_each_worker, tell

FORM = [("Content-Type", "application/x-www-form-urlencoded")]


async def answer(socket: ClientConnection, request_id: str) -> dict[str, object]:
    while (message := await heard(socket))["request_id"] != request_id:
        pass
    assert message["errors"] == []
    return message


async def test_observers_hear_of_every_change(stack: Clone) -> None:
    async with on_each_worker(stack, "/notes") as sockets:
        maker, changer, _ = sockets
        for socket in sockets:
            await tell(socket, action="subscribe_to_all", request_id="all")
            assert (await answer(socket, "all"))["response_status"] == 201
        await tell(maker, action="create", request_id="create", data={"text": "made"})
        made = (await answer(maker, "create"))["data"]
        assert isinstance(made, dict)
        for socket in sockets[1:]:
            heard_of = await answer(socket, "all")
            assert (heard_of["action"], heard_of["data"]) == ("create", made)
            await tell(socket, action="subscribe_instance", request_id="one", pk=made["id"])
            assert (await answer(socket, "one"))["response_status"] == 201
        await tell(changer, action="patch", request_id="patch", pk=made["id"], data={"text": "changed"})
        for socket in sockets[1:]:
            assert (await answer(socket, "one"))["data"] == made | {"text": "changed"}
        assert send(stack, "/note", b"text=by+HTTP", FORM).status == 200
        for socket in sockets:
            while (message := await answer(socket, "all"))["action"] != "create" or message["data"] == made:
                pass
            assert isinstance(message["data"], dict)
            assert message["data"]["text"] == "by HTTP"
