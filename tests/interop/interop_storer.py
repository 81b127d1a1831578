"""Stores one new study after another, older and newer ones, until it is told to stop; a program of its own.

    python interop_storer.py PORT

Tells on standard output how many it has stored, a line for each; ends when its standard input does.
"""

from __future__ import annotations

import http.client
import sys
import threading
import time
from random import Random

from dicomgate.testing import instances

KIND = {"Content-Type": "application/dicom"}


def main() -> None:
    port, chance = int(sys.argv[1]), Random(4)
    wanted = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), wanted.set()), daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=100)
    stored = 0
    while not wanted.is_set():
        date = f"{chance.randint(1980, 2039)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
        content = instances.make(rows=1, columns=1, attributes={"PatientID": f"LATE{stored}", "StudyDate": date})
        connection.request("POST", "/dicomweb/studies", content, KIND)
        answer = connection.getresponse()
        assert (answer.status, answer.read()[:1]) == (200, b"{")
        stored += 1
        print(stored, flush=True)
        time.sleep(0.002)  # the reader wants some of the machine, too


if __name__ == "__main__":
    main()
