"""A process's connection to Redis, besides the channel layer's own."""

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

# For a question with its answer. A member is told within this time that the log cannot be reached.
DEADLINE = 3.0
ANSWER_SECONDS = 2.0  # silence for so long is a lost connection
RETRY_SECONDS = 0.1
AT_ONCE = 256  # questions in one write
# Of them in one command: Redis does nothing else meanwhile, and append.lua tidies for so many once.
TOGETHER = 50
TOGETHER_CHARACTERS = 64 * 1024  # but for a single text
# Of texts that wait for their answers, each with as much for its own keeping: while Redis is slow or away, all that
# clients may send would be kept for DEADLINE. One character takes up to 12 bytes: the text, and the event twice.
MOST_WAITING = 4 * 2**20
MOST_WAITING_OF_ROOM = MOST_WAITING // 8  # so that other rooms' texts wait a short time behind a flood in one
QUESTION_CHARACTERS = 200


class ResolvedConnection(RedisConnection):
    """Looks the name of its server up on threads of its own (resolver.py)."""

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
            self.host = name  # which messages show


class GuardedConnection(ResolvedConnection):
    """Says of a connection that was reset just now that it is lost; and takes and gives many at once.

    Up to Python 3.13.5, writing to one raises TypeError, which nobody takes for a lost connection:
    https://github.com/python/cpython/issues/136234, https://github.com/redis/redis-py/pull/4217
    """

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if self._writer and self._writer.transport.is_closing():
            await self.disconnect(nowait=True)
            raise RedisConnectionError("the connection was reset")
        await super().send_packed_command(command, check_health)

    async def disconnect(self, *arguments: Any, **options: Any) -> None:
        """Also for whoever is reading, who is told only when it is closed: to close it waits until what was written is
        taken, on a half-open connection for a quarter of an hour."""
        if self._writer:
            self._writer.transport.abort()
        await super().disconnect(*arguments, **options)

    def write(self, commands: Sequence[tuple[Any, ...]]) -> None:
        """Sends commands without waiting for anything; redis-py's own has a task and a timer for each."""
        if self._writer is None or self._writer.transport.is_closing():
            raise RedisConnectionError("the connection was reset")
        self._writer.write(b"".join([pack_command(command) for command in commands]))

    async def arrived(self) -> list[Any]:
        """All answers that are there, at least one of them; errors among them are not raised.

        redis-py's own has a timer for each answer.
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
    """Stands in a command for the generation of the server that it is sent to."""


GENERATION = Generation()
Part = str | int | bytes | Generation


class Share(NamedTuple):
    """A question's own part of a command that serves all who ask it of one room and have seen the same there."""

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
    """What services/redis/redis-start.sh named its configuration file by: another one after each unclean
    stop. Empty on a Redis that was started otherwise."""
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
            # Out of memory, a full disk, a replica: nothing that the sender could fix.
            logger.error("Redis refused %s: %s", question.command[0], answer)
            raise Unavailable(f"Redis refused: {answer}") from answer
        question.answer.set_result(question.read(answer) if question.read else answer)
    except Exception as fault:
        question.answer.set_exception(fault)


class Connection:
    """Asks Redis over one connection; what is asked while an answer is under way goes together next.

    A question is asked again until DEADLINE when the connection is lost, so each must be one that may be
    repeated. `on_restart` is called when the connection reaches another run of Redis than the one
    before: from then on what was asked with `held=True` waits for `release()`.
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
        self._asked: deque[list[Question]] = deque()  # on its way, by command
        self._unanswered = 0  # characters
        self._unanswered_of: dict[str, int] = {}  # by room
        self._giving_up: asyncio.TimerHandle | None = None
        pool = ConnectionPool.from_url(
            url,
            connection_class=GuardedConnection,
            password=password,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            # Repeating is done here: redis-py's own would not know of another run.
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=self._connected,
        )
        if not url.startswith("redis://"):  # for TLS and Unix sockets redis-py has other classes
            raise ImproperlyConfigured(f"REDIS_URL: expected redis://…, received {url.partition(':')[0]}:")
        self._connection: Any = pool.make_connection()  # type: ignore[no-untyped-call]

    def ask(
        self,
        *command: Part,
        share: Share | None = None,
        read: Callable[[Any], Any] | None = None,
        held: bool = False,
    ) -> asyncio.Future[Any]:
        """Redis' answer, undecoded, or what `read` makes of it. Unavailable, or what `read` raises.

        Questions with a share that are sent at the same time become one command, the first's, and behind it the parts
        of each, in the order of their asking. Its answer is a list of one for each; a refusal is everybody's.
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
        """One timer for all questions: one each, made and cancelled, costs as much as the rest of asking."""
        loop = asyncio.get_running_loop()
        asked = [*chain(*self._asked), *self._waiting, *(self._holding or ())]
        for question in asked:
            if question.until <= loop.time() and not question.answer.done():
                fault = f"Redis did not answer {question.command[0]!s} within {DEADLINE:g} s ({self._fault})"
                question.answer.set_exception(Unavailable(fault))
        left = [question.until for question in asked if not question.answer.done()]
        self._giving_up = loop.call_at(min(left), self._give_up) if left else None

    def release(self) -> None:
        """What was held back goes now."""
        held, self._holding = self._holding, None
        if held:
            self._waiting.extend(held)
            self._work()

    async def close(self) -> None:
        """Gives up what is still asked."""
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
        """While there is much to ask, it is asked at ticks; a full batch has nothing to gain by that."""
        now = asyncio.get_running_loop().time()
        if now < self._calm_at and len(self._waiting) < AT_ONCE:
            await asyncio.sleep(self._next_tick - now)

    def _ticked(self, questions: int) -> None:
        self._next_tick = next_tick()
        calm_at = asyncio.get_running_loop().time() + CALM_SECONDS
        self._calm_at = self._next_tick if questions > 1 else min(self._next_tick, calm_at)

    def _forget_given_up(self) -> None:
        """During an outage each text that is sent again would be kept once more."""
        self._waiting = deque(question for question in self._waiting if not question.answer.done())
        if self._holding is not None:
            self._holding = deque(question for question in self._holding if not question.answer.done())

    async def _answer_some(self) -> None:
        """Raises when the connection is lost; what had no answer then is waiting still."""
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
                        continue  # the answer to nothing
                    # A new connection loads the scripts; and Redis may be loading itself, or want a password again.
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
        """Moves what goes next from those who wait to those who have asked, by command; how many these are."""
        questions = 0
        latest: dict[str, tuple[object, int, list[Question]]] = {}  # by room: seen, characters, who asks
        for _ in range(min(AT_ONCE, len(self._waiting))):
            question = self._waiting.popleft()
            if question.answer.done():
                continue  # nobody waits for it any longer
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
        """Also what was asked before the restart was noticed."""
        self._holding = self._holding or deque()
        self._holding.extend(question for question in self._waiting if question.held)
        self._waiting = deque(question for question in self._waiting if not question.held)
