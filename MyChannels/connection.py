"""A process's connection to Redis for logs and presence. The channel layer has its own."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from hiredis import PushNotification, pack_command
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.asyncio import Connection as RedisConnection
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from MyChannels import resolver
from MyChannels.log import Unavailable
from MyChannels.tick import CALM_SECONDS, next_tick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

# From a question to its answer. Within this time a member learns that the log cannot be reached.
DEADLINE = 3.0
ANSWER_SECONDS = 2.0  # a connection that is silent this long counts as lost
RETRY_SECONDS = 0.1
AT_ONCE = 256  # questions in one write
# Questions in one command. Redis does nothing else meanwhile, and append.lua tidies once per this many.
TOGETHER = 50
TOGETHER_CHARACTERS = 64 * 1024  # a single text may be longer
# Characters of texts that wait for their answers, plus QUESTION_CHARACTERS of overhead for each. Without a bound, all
# that clients can send within DEADLINE would pile up while Redis is slow or unreachable. One character takes up to
# 12 bytes: the text, and the event twice.
MOST_WAITING = 4 * 2**20
MOST_WAITING_OF_ROOM = MOST_WAITING // 8  # so that a flood in one room delays the others only briefly
QUESTION_CHARACTERS = 200


class ResolvedConnection(RedisConnection):
    """Resolves its server's name on dedicated threads (resolver.py)."""

    async def _connect(self) -> None:
        async with asyncio.timeout(self.socket_connect_timeout):
            addresses = await resolver.addresses(self.host, self.port)
        name = self.host
        try:
            for self.host in addresses:
                try:
                    await super()._connect()  # type: ignore[no-untyped-call]
                    return
                except OSError:  # a TimeoutError too
                    if self.host == addresses[-1]:
                        raise
        finally:
            self.host = name  # redis-py's messages show it


class GuardedConnection(ResolvedConnection):
    """Reports a connection that was just reset as lost, and writes and reads in batches.

    Up to Python 3.13.5, writing to a reset connection raises TypeError, which no caller treats as a lost
    connection: https://github.com/python/cpython/issues/136234, https://github.com/redis/redis-py/pull/4217
    """

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if self._writer and self._writer.transport.is_closing():
            await self.disconnect(nowait=True)
            raise RedisConnectionError("the connection was reset")
        await super().send_packed_command(command, check_health)

    async def disconnect(self, *arguments: Any, **options: Any) -> None:
        """Aborts the transport, so that a pending read fails at once. A plain close first waits until the peer has
        taken all written data: on a half-open connection a quarter of an hour."""
        if self._writer:
            self._writer.transport.abort()
        await super().disconnect(*arguments, **options)

    def write(self, commands: Sequence[tuple[Any, ...]]) -> None:
        """Sends commands without waiting. redis-py's own method creates a task and a timer for each."""
        if self._writer is None or self._writer.transport.is_closing():
            raise RedisConnectionError("the connection was reset")
        self._writer.write(b"".join([pack_command(command) for command in commands]))

    async def arrived(self) -> list[Any]:
        """Waits for at least one answer and returns all that have arrived. Does not raise errors among them.

        redis-py's own method creates a timer for each answer.
        """
        parser: Any = self._parser
        while not (answers := _parsed(parser)):
            await parser.read_from_socket()
        return answers


def _parsed(parser: Any) -> list[Any]:
    answers = []
    while (answer := parser._reader.gets()) is not NOT_ENOUGH_DATA:
        answers.append(answer)
    return answers


class Generation:
    """A placeholder in a command, replaced by the generation of the server that receives it."""


GENERATION = Generation()
Part = str | int | bytes | Generation


class Share(NamedTuple):
    """One question's part of a shared command. Questions about the same room with the same `seen` share one."""

    room: str
    seen: tuple[str, int, int]
    characters: int
    parts: Sequence[Part]


class Question(NamedTuple):
    command: Sequence[Part]
    share: Share | None
    answer: asyncio.Future[Any]
    read: Callable[[Any], Any] | None
    held: bool
    until: float  # by the loop's clock


def generation_of(info: str) -> str:
    """The generation in the name of Redis' configuration file. services/redis/redis-start.sh chooses a new one
    after each unclean stop. Empty if Redis was started in another way."""
    found = re.search(r"^config_file:.*/generation-(\w+)\.conf\s*$", info, re.MULTILINE)
    return found[1] if found else ""


def _settle(questions: list[Question], answer: Any) -> None:
    shared = questions[0].share is not None and not isinstance(answer, ResponseError)
    for question, its_own in zip(questions, answer if shared else [answer] * len(questions), strict=True):
        if not question.answer.done():
            _settle_one(question, its_own)


def _settle_one(question: Question, answer: Any) -> None:
    try:
        if isinstance(answer, ResponseError):
            # Out of memory, a full disk, a replica: the sender can fix none of these.
            logger.error("Redis refused %s: %s", question.command[0], answer)
            raise Unavailable(f"Redis refused: {answer}") from answer
        question.answer.set_result(question.read(answer) if question.read else answer)
    except Exception as fault:
        question.answer.set_exception(fault)


class Connection:
    """Asks Redis over one connection. Questions that come while an answer is pending are sent together next.

    When the connection is lost, questions are asked again until DEADLINE, so each must be safe to repeat.
    `on_restart` is called when a reconnect finds that Redis was restarted. From then on, questions with
    `held=True` wait for `release()`.
    """

    def __init__(
        self,
        url: str,
        password: str,
        scripts: Sequence[str] = (),
        on_restart: Callable[[], None] | None = None,
    ) -> None:
        self._scripts = scripts
        self._on_restart = on_restart
        self._run = self._generation = ""
        self._fault: Exception | None = None
        self._waiting: deque[Question] = deque()
        self._holding: deque[Question] | None = None  # a deque: held back
        self._worker: asyncio.Task[None] | None = None
        self._next_tick = self._calm_at = 0.0
        self._asked: deque[list[Question]] = deque()  # sent and not answered yet, by command
        self._unanswered = 0  # characters
        self._unanswered_of: dict[str, int] = {}  # by room
        self._giving_up: asyncio.TimerHandle | None = None
        pool = ConnectionPool.from_url(
            url,
            connection_class=GuardedConnection,
            password=password,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            # This class retries: redis-py's own retry would not notice a restart of Redis.
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=self._connected,
        )
        if not url.startswith("redis://"):  # redis-py has other classes for TLS and Unix sockets
            raise ImproperlyConfigured(f"REDIS_URL: expected redis://…, received {url.partition(':')[0]}:")
        self._connection: Any = pool.make_connection()  # type: ignore[no-untyped-call]

    def ask(
        self,
        *command: Part,
        share: Share | None = None,
        read: Callable[[Any], Any] | None = None,
        held: bool = False,
    ) -> asyncio.Future[Any]:
        """Redis' undecoded answer, passed through `read` if given. Raises Unavailable and whatever `read` raises.

        Questions with a share that are sent at the same time become one command: the first question's command,
        followed by the parts of each in the order of the calls. Redis answers with a list of one item for each. An
        error applies to all of them.
        """
        loop = asyncio.get_running_loop()
        question = Question(command, share, loop.create_future(), read, held, loop.time() + DEADLINE)
        if share and not self._has_room(share, question.answer):
            question.answer.set_exception(Unavailable("Redis does not keep up: too much waits for it"))
            return question.answer
        if held and self._holding is not None:
            self._holding.append(question)
        else:
            self._waiting.append(question)
            self._work()
        if self._giving_up is None:
            self._giving_up = loop.call_at(question.until, self._give_up)
        return question.answer

    def _has_room(self, share: Share, answer: asyncio.Future[Any]) -> bool:
        characters = share.characters + QUESTION_CHARACTERS
        of_room = self._unanswered_of.get(share.room, 0) + characters
        if self._unanswered + characters > MOST_WAITING or of_room > MOST_WAITING_OF_ROOM:
            return False

        def answered(_: object) -> None:
            self._unanswered -= characters
            self._unanswered_of[share.room] -= characters
            if not self._unanswered_of[share.room]:
                del self._unanswered_of[share.room]

        self._unanswered += characters
        self._unanswered_of[share.room] = of_room
        answer.add_done_callback(answered)
        return True

    def _give_up(self) -> None:
        """One timer serves all questions: creating and cancelling one for each would double the cost of asking."""
        loop = asyncio.get_running_loop()
        asked = [*chain(*self._asked), *self._waiting, *(self._holding or ())]
        for question in asked:
            if question.until <= loop.time() and not question.answer.done():
                fault = f"Redis did not answer {question.command[0]!s} within {DEADLINE:g} s ({self._fault})"
                question.answer.set_exception(Unavailable(fault))
        left = [question.until for question in asked if not question.answer.done()]
        self._giving_up = loop.call_at(min(left), self._give_up) if left else None

    def release(self) -> None:
        """Sends the questions that were held back."""
        held, self._holding = self._holding, None
        if held:
            self._waiting.extend(held)
            self._work()

    async def close(self) -> None:
        """Cancels all pending questions."""
        if self._worker:
            self._worker.cancel()
            await asyncio.wait([self._worker])
        if self._giving_up:
            self._giving_up.cancel()
            self._giving_up = None
        for question in (*self._waiting, *(self._holding or ())):
            question.answer.cancel()
        await self._connection.disconnect()

    def _work(self) -> None:
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._answer_all())

    async def _answer_all(self) -> None:
        while self._waiting:
            try:
                await self._tick()
                await self._answer_some()
            except (RedisError, OSError, TimeoutError) as fault:
                self._fault = fault
                self._forget_given_up()
                await asyncio.sleep(RETRY_SECONDS)

    async def _tick(self) -> None:
        """Under load, sends at common ticks (tick.py). A full batch gains nothing by waiting and goes at once."""
        now = asyncio.get_running_loop().time()
        if now < self._calm_at and len(self._waiting) < AT_ONCE:
            await asyncio.sleep(self._next_tick - now)

    def _ticked(self, questions: int) -> None:
        self._next_tick = next_tick()
        calm_at = asyncio.get_running_loop().time() + CALM_SECONDS
        self._calm_at = self._next_tick if questions > 1 else min(self._next_tick, calm_at)

    def _forget_given_up(self) -> None:
        """During an outage clients send their texts again; without this, every repetition would be kept as well."""
        self._waiting = deque(question for question in self._waiting if not question.answer.done())
        if self._holding is not None:
            self._holding = deque(question for question in self._holding if not question.answer.done())

    async def _answer_some(self) -> None:
        """Raises when the connection is lost; unanswered questions then go back to the queue."""
        connection = self._connection
        if not connection.is_connected:
            await connection.connect()
        asked = self._asked
        try:
            questions = self._take()
            connection.write([self._command(together) for together in asked])
            self._ticked(questions)
            while asked:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answers = await connection.arrived()
                for answer in answers:
                    if isinstance(answer, PushNotification):
                        continue  # not the answer to a question
                    # Reconnect: that loads the scripts again. Redis may also still be loading, or ask for a password.
                    if isinstance(answer, (NoScriptError, RedisConnectionError)):
                        raise ConnectionError(str(answer))
                    _settle(asked[0], answer)
                    asked.popleft()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            self._waiting.extendleft(reversed([*chain(*asked)]))
            asked.clear()

    def _take(self) -> int:
        """Moves the next batch from `_waiting` to `_asked`, grouped by command. Returns its number of questions."""
        questions = 0
        latest: dict[str, tuple[object, int, list[Question]]] = {}  # by room: seen, characters, questions
        for _ in range(min(AT_ONCE, len(self._waiting))):
            question = self._waiting.popleft()
            if question.answer.done():
                continue  # cancelled or timed out
            questions += 1
            if (share := question.share) is None:
                self._asked.append([question])
                continue
            seen, characters, together = latest.get(share.room, (None, 0, []))
            characters += share.characters
            if seen != share.seen or len(together) == TOGETHER or characters > TOGETHER_CHARACTERS:
                characters, together = share.characters, []
                self._asked.append(together)
            together.append(question)
            latest[share.room] = share.seen, characters, together
        return questions

    def _command(self, questions: list[Question]) -> tuple[str | int | bytes, ...]:
        parts = [self._generation if part is GENERATION else part for part in questions[0].command]
        for question in questions:
            if question.share:
                parts += question.share.parts
        return tuple(parts)  # type: ignore[arg-type]

    async def _connected(self, connection: Any) -> None:
        await connection.on_connect()
        await connection.send_packed_command(
            connection.pack_commands([("INFO", "server"), *(("SCRIPT", "LOAD", script) for script in self._scripts)])
        )
        info = (await connection.read_response()).decode()
        for _ in self._scripts:
            await connection.read_response()
        self._generation = generation_of(info)
        found = re.search(r"^run_id:(\w+)", info, re.MULTILINE)
        run = found[1] if found else ""
        before, self._run = self._run, run
        if before not in ("", run) and self._on_restart:
            self._hold()
            self._on_restart()

    def _hold(self) -> None:
        """Begins to hold questions back, including those asked before the restart was noticed."""
        self._holding = self._holding or deque()
        self._holding.extend(question for question in self._waiting if question.held)
        self._waiting = deque(question for question in self._waiting if not question.held)
