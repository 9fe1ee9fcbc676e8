"""What talks to a service: some requests at once, in a thread of its own, with patience that has an end.

Requests go through httpx's transport itself: no redirect is followed, no proxy or password is read from the environment, no
cookie is kept, and no address is logged.
"""

import asyncio
import os
import ssl
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from time import monotonic
from typing import Any

import httpx

from seewhy.errors import BadNetwork, BadParameter, NoService
from seewhy.printable import printable
from seewhy.progress import stop_asked

from .address import Address
from .options import ServiceOptions
from .post import Post
from .refusals import message, refusal, without_secrets

LARGEST = 2**26  # bytes of an answer
AGAIN = (429, 502, 503, 504)  # answers after which the same may be asked again
FIRST, LONGEST, PATIENCE = 0.5, 30.0, 60.0  # seconds before the second try; before any; of a service that says how long
LONGEST_QUOTED = 500  # characters of what a stranger says
POLL, GRACE = 0.1, 1.0  # seconds between looks whether a person wants to end; that answers on their way then have


class Client:
    """Asks one service, with the options that a person gave."""

    def __init__(self, address: Address, options: ServiceOptions) -> None:
        self.address, self.options = address, options
        self._lock, self._talk = threading.Lock(), None
        self._trusted()
        try:
            httpx.URL(address.url)
        except httpx.InvalidURL as error:
            words = without_secrets(str(error), address.secrets)
            raise BadParameter(f"{address.shown} is no address of a service: {words}") from None

    def __getstate__(self) -> dict[str, Any]:
        return {"address": self.address, "options": self.options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    def get(self, address: Address) -> bytes:
        """The answer to a question without a body, such as what the service knows of its model; without secrets."""
        return self.without_secrets(self._waited_for([(address, None)])[0])

    def ask(self, posts: Sequence[Callable[[], Post]]) -> list[bytes]:
        """The answers to all of them, in their order; each is made when it is its turn.

        Raises NoService where the service cannot be reached, is too slow or busy however often it was tried, refuses or sends
        elsewhere, BadNetwork where it does not take one of them.
        """
        return self._waited_for([(self.address, post) for post in posts])

    def without_secrets(self, answer: bytes) -> bytes:
        """What a service wrote, without what a person sent in confidence."""
        return without_secrets(answer.decode("utf-8", "replace"), [*self.address.secrets, *self.options.secrets]).encode()

    def _waited_for(self, questions: Any) -> list[bytes]:
        """The answers; the thread that talks is told to stop where the wait ends, also by Ctrl-C."""
        talk = self._talking()
        future = asyncio.run_coroutine_threadsafe(talk.all(questions), talk.loop)
        end = None
        try:
            while not wait([future], POLL).done:
                end = end or (monotonic() + GRACE if stop_asked() else None)
                if end is not None and monotonic() > end:
                    raise BadNetwork(f"{self.address.shown} had not answered when the work was interrupted.")
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _talking(self) -> "Talk":
        with self._lock:
            if self._talk is None or self._talk.process != os.getpid():  # threads do not live on in a forked process
                self._talk = Talk(self.address, self.options, self._trusted())
                weakref.finalize(self, self._talk.end)
            return self._talk

    def _trusted(self) -> ssl.SSLContext | bool:
        """The certificates that are trusted; BadParameter where their file cannot be read."""
        if self.options.ca is None and self.options.proxy is None and self.address.parts.scheme.lower() == "http":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # none, as none is shown; the usual ones take a while to read
        if self.options.ca is None:
            return True
        try:
            return ssl.create_default_context(cafile=self.options.ca)
        except (OSError, ssl.SSLError) as error:
            raise BadParameter(f"ca={self.options.ca!r} is no file of certificates: {printable(error, 200)}") from None


class Talk:
    """The thread in which requests run, with the connections that they share.  It ends with its Client."""

    def __init__(self, address: Address, options: ServiceOptions, trusted: ssl.SSLContext | bool) -> None:
        self.address, self.options, self.process = address, options, os.getpid()
        most = options.concurrency
        limits = httpx.Limits(max_connections=most, max_keepalive_connections=most)
        try:
            self.transport = httpx.AsyncHTTPTransport(verify=trusted, trust_env=False, limits=limits, proxy=options.proxy)
        except (ValueError, httpx.InvalidURL, ImportError):  # whose words may have its password in them
            raise BadParameter("proxy= is the address of a proxy, http://HOST:PORT.") from None
        self.at_once = asyncio.Semaphore(most)
        self.free = 0.0  # when the next request may begin, by the loop's clock
        self.chance = Random()  # of its own, so that nobody's random numbers change
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name=f"seewhy asks {address.parts.hostname}", daemon=True)
        self.thread.start()

    def end(self) -> None:
        """Close the connections and end the thread."""
        if self.process != os.getpid():
            return
        with suppress(RuntimeError):  # it ended already
            self.loop.call_soon_threadsafe(self.loop.stop)
        if threading.current_thread() is not self.thread:
            self.thread.join(2)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            self.loop.run_until_complete(self._close())
        finally:
            self.loop.close()

    async def _close(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self.transport.aclose()
        await self.loop.shutdown_default_executor()

    async def all(self, questions: Sequence[tuple[Address, Callable[[], Post] | None]]) -> list[bytes]:
        """The answers in the order of the questions; the first failure ends the others."""
        tasks = [self.loop.create_task(self._one(*question)) for question in questions]
        try:
            return [*await asyncio.gather(*tasks)]
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _one(self, address: Address, make: Callable[[], Post] | None) -> bytes:
        """The answer to one question, asked again where that may help."""
        async with self.at_once:
            post = None if make is None else await asyncio.to_thread(make)
            why = ""
            for attempt in range(self.options.retries + 1):
                await self._turn()
                after = 0.0
                try:
                    async with asyncio.timeout(self.options.timeout):
                        status, headers, body = await self._answer(address, post)
                except TimeoutError:
                    why = f"gave no answer within {self.options.timeout:g} s (timeout=)"
                except (httpx.TransportError, httpx.DecodingError) as error:
                    why = f"cannot be reached ({type(error).__name__}: {self._safe(error)})"
                    if "CERTIFICATE_VERIFY_FAILED" in str(error):
                        raise NoService(f"{address.shown} {why}. Give the file of your own authority: ca=FILE.") from None
                else:
                    if status not in AGAIN:
                        if error := refusal(address.shown, status, headers, body, self._safe):
                            raise error
                        return body
                    why, after = (
                        f"answered {status} each time ({self._safe(message(body))})",
                        _wanted(headers.get("retry-after")),
                    )
                if attempt < self.options.retries:
                    await asyncio.sleep(max(self._pause(attempt), after))
        tries = f"{self.options.retries + 1} tries" if self.options.retries else "one try"
        raise NoService(f"{address.shown} {why}, in {tries} (retries=).")

    async def _answer(self, address: Address, post: Post | None) -> tuple[int, httpx.Headers, bytes]:
        said = {} if post is None else dict(post.headers)
        headers = httpx.Headers({"User-Agent": "seewhy", "Accept": "application/json", "Accept-Encoding": "gzip, deflate"})
        for more in (said, self.options.headers):  # each takes the place of those before, in any case of letters
            headers.update(more)
        content = None if post is None or post.files else post.content
        request = httpx.Request(
            "GET" if post is None else "POST", address.url, headers=headers, content=content,
            files=post.files if post else None,
        )  # fmt: skip
        response = await self.transport.handle_async_request(request)
        body = bytearray()
        try:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > LARGEST:
                    raise BadNetwork(f"{address.shown} answers with more than {LARGEST >> 20} MB, which are no scores.")
        finally:
            await response.aclose()
        return response.status_code, response.headers, bytes(body)

    async def _turn(self) -> None:
        """Wait until the rate lets a request begin."""
        if self.options.rate is None:
            return
        now = self.loop.time()
        begin = max(now, self.free)
        self.free = begin + 1 / self.options.rate
        await asyncio.sleep(begin - now)

    def _pause(self, attempt: int) -> float:
        """Seconds before the next try: twice as long each time, and by chance up to a half shorter."""
        return min(FIRST * 2**attempt, LONGEST) * self.chance.uniform(0.5, 1)

    def _safe(self, words: Any) -> str:
        return printable(without_secrets(str(words), [*self.address.secrets, *self.options.secrets])[:LONGEST_QUOTED], 200)


def _wanted(after: str | None) -> float:
    """The seconds that the service asks to wait, in seconds or as a date; within PATIENCE."""
    if after is None:
        return 0.0
    if after.strip().isdecimal():
        return min(float(after), PATIENCE)
    try:
        when = parsedate_to_datetime(after)
    except (TypeError, ValueError):
        return 0.0
    seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), PATIENCE)
