"""Several processes that keep answers in one folder at once: each has the right ones, and the folder its bound."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROUNDS, THINGS, SIZE, BOUND = 4, 30, 20_000, 300_000
READER = """
import asyncio, random, sys
from pathlib import Path
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.cache import Cache
from dicomgate.client.request import Request

root, folder, seed = sys.argv[1:]
dice = random.Random(int(seed))

async def read():
    async with AsyncCaller(root, cache=Cache(Path(folder), most=BOUND)) as calls:
        for _ in range(ROUNDS):
            numbers = list(range(THINGS))
            dice.shuffle(numbers)
            requests = [Request(path=f"/{number}", headers={}, may_be_kept=True) for number in numbers]
            answers = await asyncio.gather(*(calls.send(request) for request in requests))
            for number, answer in zip(numbers, answers):
                assert answer.body == b"%04d" % number * (SIZE // 4), number

asyncio.run(read())
"""


class Things(http.server.BaseHTTPRequestHandler):
    """Answers of which each has an entity tag."""

    protocol_version = "HTTP/1.1"
    confirmed = 0

    def do_GET(self) -> None:
        number = int(self.path.rpartition("/")[2])
        tag = f'"{number}"'
        is_known = self.headers.get("If-None-Match") == tag
        body = b"" if is_known else b"%04d" % number * (SIZE // 4)
        type(self).confirmed += is_known
        self.send_response(304 if is_known else 200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody wants to know."""


def test_processes_share_a_folder(tmp_path: Path) -> None:
    names = {"ROUNDS": ROUNDS, "THINGS": THINGS, "SIZE": SIZE, "BOUND": BOUND}
    code = "".join(f"{name} = {value}\n" for name, value in names.items()) + READER
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Things) as server:
        threading.Thread(target=server.serve_forever).start()
        root = f"http://127.0.0.1:{server.server_address[1]}"
        processes = [
            subprocess.Popen([sys.executable, "-c", code, root, str(tmp_path / "kept"), str(seed)]) for seed in range(3)
        ]
        try:
            assert [process.wait(100) for process in processes] == [0, 0, 0]
        finally:
            for process in processes:
                process.kill()
                process.wait()
            server.shutdown()
    size = sum(path.stat().st_size for path in (tmp_path / "kept").iterdir())
    assert SIZE < size <= BOUND + 3 * SIZE
    assert Things.confirmed > 0
