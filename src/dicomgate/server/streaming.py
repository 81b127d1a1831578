"""An answer's body on its way out: made in a thread in big steps, sent in small pieces, stopped when the caller leaves.

`send` of an ASGI server never tells that the caller has gone, so a watcher asks `receive` meanwhile (T21).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dicomgate.server.answers import Body, OutPiece
from dicomgate.server.threads import Threads

if TYPE_CHECKING:
    from dicomgate.server.exchange import Exchange


async def send_rest(exchange: Exchange, body: Body, first: list[OutPiece], threads: Threads) -> None:
    """Send pieces, then make and send more, until the end or until the caller has gone."""
    loop = asyncio.get_running_loop()
    gone = loop.create_task(_wait_for_leaving(exchange))
    pieces = first
    try:
        while True:
            for piece in pieces:
                await exchange.send_piece(piece, more=True)
            if body.is_done:
                await exchange.send_piece(b"", more=False)
                return
            if gone.done():
                return
            pieces = await threads.do(body.step)
    finally:
        gone.cancel()


async def _wait_for_leaving(exchange: Exchange) -> None:
    while (await exchange.receive())["type"] != "http.disconnect":
        pass
