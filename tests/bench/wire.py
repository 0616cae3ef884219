"""How each system is spoken to: its address, its frames, and what its frames say."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.bench.text import MARK, mark


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a client has received; what it means is the server's."""

    epoch: str = ""
    offset: int = 0


START = Position()


@dataclass(frozen=True, slots=True)
class Heard:
    """What one frame said."""

    messages: tuple[tuple[int, int], ...] = ()  # number, and when it was sent
    position: Position | None = None
    joined: bool = False
    answer: str = ""  # what the protocol wants to be sent at once
    acknowledged: int = 0
    error: str = ""

    @property
    def of_all(self) -> bool:
        """Whether the same frame says the same to every member."""
        return not (self.joined or self.answer or self.acknowledged or self.error)


class Wire(ABC):
    """The plainest: whoever is connected is in the room."""

    joined_when_open = True
    resumes = False

    @abstractmethod
    def path(self, room: str, client: str, since: Position) -> str: ...

    def headers(self, since: Position) -> dict[str, str]:
        return {}

    def greeting(self, room: str, since: Position) -> str:
        """What to send once connected, if anything."""
        return ""

    @abstractmethod
    def publish(self, room: str, text: str, number: int) -> str: ...

    @abstractmethod
    def hear(self, frame: str, room: str) -> Heard: ...


class Documented(Wire):
    """`{"message": "text"}`; it joins the group before it accepts the socket."""

    def path(self, room: str, client: str, since: Position) -> str:
        return f"/ws/chat/{room}/"

    def publish(self, room: str, text: str, number: int) -> str:
        return json.dumps({"message": text})

    def hear(self, frame: str, room: str) -> Heard:
        sentence = json.loads(frame).get("message", "")
        return Heard(messages=(mark(sentence),)) if MARK.search(sentence) else Heard()


class ChatV1(Wire):
    """Subprotocol `chat.v1`: docs/protocol.md."""

    joined_when_open = False
    resumes = True

    def path(self, room: str, client: str, since: Position) -> str:
        resume = f"&since={since.epoch}:{since.offset}" if since.epoch else ""
        return f"/ws/chat/{room}/?name={client}&client={client.rjust(16, '-')}{resume}"

    def headers(self, since: Position) -> dict[str, str]:
        return {"Sec-WebSocket-Protocol": "chat.v1"}

    def publish(self, room: str, text: str, number: int) -> str:
        return json.dumps({"type": "send", "text": text, "ref": str(number)})

    def hear(self, frame: str, room: str) -> Heard:
        messages, position, joined, acknowledged, error = [], None, False, 0, ""
        for line in frame.split("\n"):
            item = json.loads(line)
            match item["type"]:
                case "message":
                    messages.append(mark(item["text"]))
                    position = Position(offset=item["offset"])
                case "welcome":
                    joined, position = True, Position(item["epoch"], item["offset"])
                    error = "not recovered" if item.get("recovered") is False else ""
                case "ack":
                    acknowledged += 1
                case "error":
                    error = f"{item['code']}: {item['detail']}"
        return Heard(tuple(messages), position, joined, "", acknowledged, error)


class SocketIO(Wire):
    """Engine.IO 4 over a WebSocket, Socket.IO 5 within. It cannot resume with the Redis adapter."""

    joined_when_open = False
    JOINING = 0  # the acknowledgement's number

    def path(self, room: str, client: str, since: Position) -> str:
        return "/socket.io/?EIO=4&transport=websocket"

    def publish(self, room: str, text: str, number: int) -> str:
        return "42" + json.dumps(["message", room, text])

    def hear(self, frame: str, room: str) -> Heard:
        match frame[:1], frame[1:2]:
            case "0", _:  # Engine.IO is open: connect to the namespace
                return Heard(answer="40")
            case "2", _:  # ping
                return Heard(answer="3")
            case "4", "0":  # the namespace is: join
                return Heard(answer=f"42{self.JOINING}" + json.dumps(["join", room]))
            case "4", "3":
                return Heard(joined=True)
            case "4", "2":
                _, said = json.loads(frame[2:])
                return Heard(messages=(mark(said),))
        return Heard(error=frame[:200])


class Nchan(Wire):
    """Bare texts. With `ws+meta.nchan` each has its id in a header, from which a client resumes."""

    def __init__(self, resumes: bool = False) -> None:
        self.resumes = resumes

    def path(self, room: str, client: str, since: Position) -> str:
        return f"/rooms/{room}" + (f"?last_event_id={quote(since.epoch)}" if since.epoch else "")

    def headers(self, since: Position) -> dict[str, str]:
        return {"Sec-WebSocket-Protocol": "ws+meta.nchan"} if self.resumes else {}

    def publish(self, room: str, text: str, number: int) -> str:
        return text

    def hear(self, frame: str, room: str) -> Heard:
        if not self.resumes:
            return Heard(messages=(mark(frame),))
        head, _, said = frame.partition("\n\n")
        fields = dict(line.split(": ", 1) for line in head.split("\n"))
        return Heard(messages=(mark(said),), position=Position(fields["id"]))


class Centrifugo(Wire):
    """Its JSON protocol: commands and replies, one a line."""

    joined_when_open = False
    resumes = True
    CONNECT, SUBSCRIBE, FIRST = 1, 2, 3  # the commands' numbers

    def path(self, room: str, client: str, since: Position) -> str:
        return "/connection/websocket"

    def greeting(self, room: str, since: Position) -> str:
        subscribe: dict[str, Any] = {"channel": room}
        if since.epoch:
            subscribe |= {"recover": True, "epoch": since.epoch, "offset": since.offset}
        commands = {"id": self.CONNECT, "connect": {}}, {"id": self.SUBSCRIBE, "subscribe": subscribe}
        return "\n".join(map(json.dumps, commands))

    def publish(self, room: str, text: str, number: int) -> str:
        return json.dumps({"id": self.FIRST + number, "publish": {"channel": room, "data": {"text": text}}})

    def hear(self, frame: str, room: str) -> Heard:
        messages, position, joined, answer, acknowledged, error = [], None, False, "", 0, ""
        for line in frame.split("\n"):
            if not line:
                continue
            reply = json.loads(line)
            if not reply:  # ping
                answer = "{}"
            elif publication := reply.get("push", {}).get("pub"):
                messages.append(mark(publication["data"]["text"]))
                position = Position(offset=publication["offset"])
            elif "subscribe" in reply:
                subscribed = reply["subscribe"]
                publications = subscribed.get("publications", ())
                messages += [mark(publication["data"]["text"]) for publication in publications]
                joined, position = True, Position(subscribed["epoch"], subscribed.get("offset", 0))
                error = "not recovered" if subscribed.get("was_recovering") and not subscribed.get("recovered") else ""
            elif "publish" in reply:
                acknowledged += 1
            elif "error" in reply or "disconnect" in reply.get("push", {}):
                error = line[:200]
        return Heard(tuple(messages), position, joined, answer, acknowledged, error)


WIRES: dict[str, type[Wire]] = {
    "documented": Documented,
    "chat.v1": ChatV1,
    "socketio": SocketIO,
    "nchan": Nchan,
    "centrifugo": Centrifugo,
}


def wire(name: str, *, resuming: bool) -> Wire:
    return Nchan(resuming) if name == "nchan" else WIRES[name]()
