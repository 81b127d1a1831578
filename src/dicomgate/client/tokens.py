"""Leave by tokens: given, asked for from a callback, or from who gives them out (RFC 6750; RFC 6749 §4.4; RFC 8628)."""

from __future__ import annotations

import asyncio
import inspect
import re
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from dicomgate import errors

_EARLY: Final = 30.0
"""Seconds before its end when a token is asked for anew."""
_LIFETIME: Final = 300.0
"""Seconds that a token is used of which it is not said how long it is good."""
_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_FORM: Final = {"Accept": "application/json"}
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
"""What can stand in a header (RFC 6750 §2.1 allows still less, which some do not keep to)."""
_SLOWER: Final = 5.0
"""Seconds added to the pause when we are told to slow down (RFC 8628 §3.5)."""


async def _first(flow: AsyncGenerator[httpx2.Request, httpx2.Response]) -> httpx2.Request:
    return await anext(flow)


async def _after(
    flow: AsyncGenerator[httpx2.Request, httpx2.Response], answer: httpx2.Response
) -> httpx2.Request | None:
    try:
        return await flow.asend(answer)
    except StopAsyncIteration:
        return None


class _Asking(httpx2.Auth):
    """A token that is used while it is good; of several requests at once, one asks for it."""

    requires_response_body = False

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._token = ""
        self._until = 0.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """The same for a caller without an event loop: each step of the flow is run to its end."""
        flow = self.async_auth_flow(request)
        with asyncio.Runner() as runner:
            wanted: httpx2.Request | None = runner.run(_first(flow))
            while wanted is not None:
                answer = yield wanted
                if wanted is not request:
                    answer.read()
                wanted = runner.run(_after(flow, answer))

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """A token with every request; a fresh one, once, when the server takes the old one no longer."""
        for is_second in (False, True):
            async with self._turn:
                if not self._token or time.monotonic() >= self._until:
                    asking = self._ask()
                    answer: httpx2.Response | None = None
                    try:
                        while True:
                            wanted = await (asking.asend(answer) if answer is not None else anext(asking))
                            answer = yield wanted
                            await answer.aread()
                    except StopAsyncIteration:
                        pass
                used = self._token
            request.headers["Authorization"] = f"Bearer {used}"
            reply = yield request
            if reply.status_code != 401 or is_second or not self.can_ask_again:
                return
            async with self._turn:
                if self._token == used:
                    self._token = ""

    @property
    def can_ask_again(self) -> bool:
        """True when another token could be had."""
        return True

    def _ask(self) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Ask for a token, and keep what `_keep` is given."""
        raise AssertionError("each kind asks in its own way")

    def _keep(self, token: object, lifetime: object) -> None:
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise errors.Forbidden("no access token was given")
        seconds = float(lifetime) if isinstance(lifetime, int | float) else _LIFETIME
        self._token, self._until = token, time.monotonic() + max(1.0, seconds - _EARLY)


class Bearer(_Asking):
    """A token, or a callback (plain or asynchronous) that gives one, asked again after a 401. Forbidden without any."""

    def __init__(self, token: str | Callable[[], Any]) -> None:
        super().__init__()
        self._give = token

    @property
    def can_ask_again(self) -> bool:
        """True when it is a callback."""
        return not isinstance(self._give, str)

    async def _ask(self) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        requests: tuple[httpx2.Request, ...] = ()  # nobody else is asked
        for request in requests:
            yield request
        token: object = self._give
        if not isinstance(self._give, str):
            token = await asyncio.to_thread(self._give)
            if inspect.isawaitable(token):
                token = await token
        self._keep(token, float("inf"))


class ClientCredentials(_Asking):
    """Client credentials (RFC 6749 §4.4): a token is asked for, used while it is good, asked for anew after a 401."""

    def __init__(self, url: str, client: str, secret: str, scope: str = "") -> None:
        super().__init__()
        self._url, self._client, self._secret, self._scope = url, client, secret, scope

    @property
    def client(self) -> str:
        """Who asks, and where: no secret."""
        return f"{self._client} {self._url} {self._scope}"

    async def _ask(self) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        fields = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        request = httpx2.Request("POST", self._url, data=fields, headers=_FORM)
        answer = yield next(httpx2.BasicAuth(self._client, self._secret).auth_flow(request))
        said = _read(answer)
        if answer.status_code != 200 or "access_token" not in said:
            raise errors.Forbidden(f"no access token was given ({answer.status_code}): see token_url and client_id")
        self._keep(said["access_token"], said.get("expires_in"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePrompt:
    """What a person is told: to open `address` and to enter `code` there; or `complete_address`, which holds it."""

    address: str
    code: str
    complete_address: str
    seconds: float


class DeviceCode(_Asking):
    """Leave that a person gives in a browser (RFC 8628); renewed by its refresh token as long as that is taken.

    `tell` is called with what the person has to do. Forbidden when it is refused, or not given in time.
    """

    def __init__(
        self,
        device_url: str,
        token_url: str,
        client: str,
        tell: Callable[[DevicePrompt], object],
        scope: str = "",
    ) -> None:
        super().__init__()
        self._device_url, self._token_url, self._client, self._scope = device_url, token_url, client, scope
        self._tell = tell
        self._refresh = ""

    async def _ask(self) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        if self._refresh:
            answer = yield self._form(self._token_url, grant_type="refresh_token", refresh_token=self._refresh)
            if self._take(answer):
                return
        answer = yield self._form(self._device_url, **({"scope": self._scope} if self._scope else {}))
        said = _read(answer)
        if answer.status_code != 200 or not isinstance(said.get("device_code"), str):
            raise errors.Forbidden(f"no device code was given ({answer.status_code})")
        pause, end = _seconds(said.get("interval"), 5.0), time.monotonic() + _seconds(said.get("expires_in"), 600.0)
        self._tell(_prompt(said))
        while time.monotonic() < end:
            await asyncio.sleep(pause)
            answer = yield self._form(self._token_url, grant_type=_DEVICE_GRANT, device_code=said["device_code"])
            if self._take(answer):
                return
            fault = _read(answer).get("error")
            if fault == "slow_down":
                pause += _SLOWER
            elif fault != "authorization_pending":
                raise errors.Forbidden(f"leave was not given ({answer.status_code})")
        raise errors.Forbidden("leave was not given in time")

    def _form(self, url: str, **fields: str) -> httpx2.Request:
        return httpx2.Request("POST", url, data={"client_id": self._client, **fields}, headers=_FORM)

    def _take(self, answer: httpx2.Response) -> bool:
        said = _read(answer)
        if answer.status_code != 200 or "access_token" not in said:
            self._refresh = ""
            return False
        refresh = said.get("refresh_token", self._refresh)
        self._refresh = refresh if isinstance(refresh, str) else ""
        self._keep(said["access_token"], said.get("expires_in"))
        return True


def _read(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _prompt(said: Mapping[str, Any]) -> DevicePrompt:
    return DevicePrompt(
        address=str(said.get("verification_uri", "")),
        code=str(said.get("user_code", "")),
        complete_address=str(said.get("verification_uri_complete", "")),
        seconds=_seconds(said.get("expires_in"), 600.0),
    )


def _seconds(said: object, usual: float) -> float:
    return float(said) if isinstance(said, int | float) and said > 0 else usual
