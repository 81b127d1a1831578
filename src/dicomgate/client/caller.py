"""One DICOMweb server as its callers see it: requests with patience, and faults in plain words (PS3.18 §8.5)."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import httpx2

from dicomgate import __version__, errors
from dicomgate.client.identity import Identity

_LONGEST_ANSWER: Final = 64 << 20
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOT_ALLOWED: Final = frozenset({401, 403})
_NO_SUCH_SERVICE: Final = frozenset({404, 405, 410, 501})
_WORDS: Final[Mapping[int, str]] = {
    401: "asks who you are: say so with --token-file",
    403: "does not let you do this",
    404: "has no such service at this address",
    405: "does not offer this service",
    410: "has no such service at this address any more",
    413: "takes no request of this size",
    415: "does not take this kind of content",
    501: "does not offer this service",
    507: "has no room left",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often to try, and how long to pause in between; a server's Retry-After is obeyed up to `longest` seconds."""

    tries: int = 6
    first: float = 0.5
    longest: float = 60.0

    def pause(self, number: int, retry_after: str | None) -> float:
        """Seconds before the next try; a little different each time, so that many callers do not come back at once."""
        if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
            return min(float(retry_after[:6]), self.longest)
        return min(self.first * (1 << number) * random.uniform(0.7, 1.3), self.longest)  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked; `path` is below the service root, `body` is called anew for each try."""

    method: str
    path: str
    headers: Mapping[str, str]
    parameters: Mapping[str, str | int] | Sequence[tuple[str, str | int]] | None = None
    body: Callable[[], Iterator[bytes]] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer whose body comes as it is read. `chunks` may be asked for once; UpstreamFailed when it breaks off."""

    status: int
    content_type: str
    chunks: Iterator[bytes]


class Lost(errors.UpstreamFailed):
    """The server cannot be reached, also when asked again: going on makes no sense."""


class Caller:
    """Calls one server; may be used by several threads at once. A context manager."""

    def __init__(
        self,
        root: str,
        *,
        token: str | None = None,
        patience: Patience | None = None,
        timeout: float = 120.0,
        identity: Identity | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Nothing is asked yet. `transport`: another way than a socket (`in_process`)."""
        self.root = root.rstrip("/")
        self._patience = patience or Patience()
        self._has_answered = False
        self._stopped = threading.Event()
        headers = {"User-Agent": f"dicomgate/{__version__}"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx2.Client(
            headers=headers,
            timeout=httpx2.Timeout(timeout, connect=10.0),
            transport=transport,
            **(identity.arguments() if identity is not None else {}),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections, and stop waiting."""
        self._stopped.set()
        self._http.close()

    def send(self, request: Request) -> Answer:
        """The final answer, after as many tries as may help.

        Raises Forbidden (401, 403), UpstreamFailed (not reachable, no such service, no room, sent elsewhere), Malformed
        when the address is none, and whatever `body` raises.
        """
        last = self._patience.tries - 1
        for number in range(last + 1):
            answer, retry_after = self._try(request, is_last=number == last)
            if answer is not None and answer.status not in _LATER:
                return self._examine(answer)
            if number == last or self._stopped.wait(self._patience.pause(number, retry_after)):
                break
        if answer is None:
            raise Lost(f"{self._host} cannot be reached any more, also when asked again")
        raise errors.UpstreamFailed(f"{self._host} answers {answer.status}, also when asked again")

    @contextmanager
    def stream(self, request: Request) -> Iterator[Streamed]:
        """An answer to be read while inside; asked for again as `send` does until one begins. The faults of `send`."""
        response = self._begin(request)
        try:
            yield Streamed(response.status_code, response.headers.get("Content-Type", ""), self._chunks(response))
        finally:
            response.close()

    def _begin(self, request: Request) -> httpx2.Response:
        last = self._patience.tries - 1
        said = ""
        for number in range(last + 1):
            response = self._open(request, is_last=number == last)
            if response is not None and response.status_code not in _LATER:
                return self._checked(response)
            retry_after = None
            if response is not None:
                said, retry_after = f"answers {response.status_code}", response.headers.get("Retry-After")
                response.close()
            if number == last or self._stopped.wait(self._patience.pause(number, retry_after)):
                break
        if not said:
            raise Lost(f"{self._host} cannot be reached any more, also when asked again")
        raise errors.UpstreamFailed(f"{self._host} {said}, also when asked again")

    def _open(self, request: Request, *, is_last: bool) -> httpx2.Response | None:
        response: httpx2.Response | None = None
        with self._faults(is_last=is_last):
            built = self._http.build_request(
                request.method,
                self.root + request.path,
                headers=dict(request.headers),
                params=_pairs(request),
            )
            response = self._http.send(built, stream=True)
            self._has_answered = True
        return response

    def _checked(self, response: httpx2.Response) -> httpx2.Response:
        try:
            self._examine(Answer(response.status_code, _media_type(response), b""))
        except errors.Fault:
            response.close()
            raise
        return response

    def _chunks(self, response: httpx2.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_bytes()
        except httpx2.TransportError as fault:
            raise errors.UpstreamFailed(f"{self._host}: the connection breaks: {fault}") from fault

    @contextmanager
    def _faults(self, *, is_last: bool) -> Iterator[None]:
        """What the library says, in our words; what may go well the next time is passed over but for the last time."""
        try:
            yield
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as fault:
            raise errors.Malformed("expected an address like http://host:8104/dicomweb") from fault
        except httpx2.ConnectError as fault:
            if not self._has_answered:
                raise Lost(f"cannot reach {self._host}: {fault}") from fault
        except httpx2.TransportError as fault:
            if is_last:
                raise errors.UpstreamFailed(f"{self._host}: the connection breaks: {fault}") from fault

    @property
    def _host(self) -> str:
        return self.root.partition("//")[2].rpartition("@")[2].partition("/")[0]

    def _try(self, request: Request, *, is_last: bool) -> tuple[Answer | None, str | None]:
        """The answer, or None when the connection broke; and what the server says of when to come again."""
        answer: Answer | None = None
        retry_after: str | None = None
        with (
            self._faults(is_last=is_last),
            self._http.stream(
                request.method,
                self.root + request.path,
                headers=dict(request.headers),
                params=_pairs(request),
                content=request.body() if request.body else None,
            ) as response,
        ):
            self._has_answered = True
            retry_after = response.headers.get("Retry-After")
            answer = Answer(response.status_code, _media_type(response), self._read(response))
        return answer, retry_after

    def _read(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _LONGEST_ANSWER:
                raise errors.UpstreamFailed(f"{self._host} answers with more than {_LONGEST_ANSWER >> 20} MiB")
        return bytes(body)

    def _examine(self, answer: Answer) -> Answer:
        words = f"{self._host} {_WORDS.get(answer.status, '')} ({answer.status})"
        if answer.status in _NOT_ALLOWED:
            raise errors.Forbidden(words)
        if answer.status in _NO_SUCH_SERVICE or answer.status in (415, 507):
            raise errors.UpstreamFailed(words)
        if 300 <= answer.status < 400:
            raise errors.UpstreamFailed(
                f"{self._host} sends callers to another address ({answer.status}); use that one"
            )
        return answer


def _media_type(response: httpx2.Response) -> str:
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def _pairs(request: Request) -> list[tuple[str, str | int | float | bool | None]] | None:
    """The parameters as the library takes them; None: those of the path stay."""
    given = request.parameters
    if given is None:
        return None
    return [*(given.items() if isinstance(given, Mapping) else given)]
