"""The same caller for who has no event loop: each question is asked on a loop in a thread of its own (PS3.18 §8)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.bridge import AHEAD, Bridge
from dicomgate.client.identity import Identity
from dicomgate.client.request import Answer, Lost, Patience, Request

__all__ = ["Answer", "Caller", "Lost", "Patience", "Request"]
_Item = TypeVar("_Item")


class Caller:
    """Calls one server; may be used by several threads at once. A context manager.

    What does the calling is `calls`, on the loop of `bridge`.
    """

    def __init__(
        self,
        root: str,
        *,
        token: str | Callable[[], Any] | None = None,
        patience: Patience | None = None,
        timeout: float = 120.0,
        identity: Identity | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Nothing is asked yet. `transport`: another way than a socket (`in_process`)."""
        self.calls = AsyncCaller(
            root, token=token, patience=patience, timeout=timeout, identity=identity, transport=transport
        )
        self.bridge = Bridge()

    @classmethod
    def over(cls, calls: AsyncCaller, bridge: Bridge) -> Self:
        """One that uses what another has opened, and closes nothing."""
        made = cls.__new__(cls)
        made.calls, made.bridge = calls, bridge
        return made

    @property
    def root(self) -> str:
        """The service's address."""
        return self.calls.root

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections, and stop what is under way."""
        self.bridge.close(self.calls.aclose)

    def send(self, request: Request) -> Answer:
        """The final answer, after as many tries as may help. The faults of `AsyncCaller.send`."""
        return self.run(self.calls.send(request))

    def run(self, work: Coroutine[Any, Any, _Item]) -> _Item:
        """What a coroutine over `calls` gives."""
        return self.bridge.run(work)

    def iterate(self, items: AsyncIterator[_Item], ahead: int = AHEAD) -> Generator[_Item, None, None]:
        """What an asynchronous iterator over `calls` gives, at most so many ahead."""
        return self.bridge.iterate(items, ahead)
