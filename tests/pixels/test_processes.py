"""Worker processes: bounded, replaced when they misbehave, gone when their parent is (T5)."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import made_pictures as made
import pytest

from dicomgate import errors
from dicomgate.pixels.limits import Limits
from dicomgate.pixels.pictures import Decoder
from dicomgate.pixels.processes import Workers

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

SMALL = made.png([[(1,), (2,)]])


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "what must come did not"
        time.sleep(0.005)


def decode(workers, into, content=SMALL):
    return Decoder(workers).decode(content, "image/png", into)


def idle_process(workers):
    (worker,) = workers._idle
    return worker._process.pid


def state(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def stop(process):
    os.kill(process, signal.SIGSTOP)
    until(lambda: state(process)[0] == "T")


def go_on(process):
    with contextlib.suppress(ProcessLookupError):  # what was sent before may have ended it
        os.kill(process, signal.SIGCONT)


@pytest.fixture
def workers(tmp_path):
    with Workers(Limits(processes=1)) as workers:
        yield workers


def test_a_long_task_arrives_whole(workers):
    """More than the line takes at once: a palette, a table of rules."""
    words = ["word" * 1000] * 500
    with pytest.raises(RuntimeError, match="decode"):  # it has no such argument, and says so
        workers.run("decode", {"words": words})


def test_no_process_before_the_first_task_and_one_for_many(workers, tmp_path):
    assert workers._idle == []
    decode(workers, tmp_path / "1")
    first = idle_process(workers)
    decode(workers, tmp_path / "2")
    assert idle_process(workers) == first


def test_the_server_itself_never_loads_a_codec():
    script = (
        "import sys, dicomgate.pixels.pictures, dicomgate.pixels.processes\n"
        "print({'numpy', 'imagecodecs'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_process_that_ended_between_tasks_is_replaced(workers, tmp_path):
    decode(workers, tmp_path / "1")
    gone = idle_process(workers)
    os.kill(gone, signal.SIGKILL)
    workers._idle[0]._process.wait()
    decode(workers, tmp_path / "2")
    assert idle_process(workers) != gone


def test_a_stuck_process_is_killed_and_replaced(workers, tmp_path):
    decode(workers, tmp_path / "1")
    stuck = idle_process(workers)
    stop(stuck)
    patient, workers.limits = workers.limits, replace(workers.limits, seconds=0.2)
    with pytest.raises(errors.TooLarge):
        decode(workers, tmp_path / "2")
    assert state(stuck) is None
    assert not (tmp_path / "2").exists()
    workers.limits = patient
    decode(workers, tmp_path / "3")
    assert idle_process(workers) != stuck


@pytest.mark.parametrize(("end", "fault"), [(signal.SIGSEGV, errors.Malformed), (signal.SIGKILL, errors.Unavailable)])
def test_a_process_that_ends_in_the_middle(workers, tmp_path, end, fault):
    decode(workers, tmp_path / "1")
    process = idle_process(workers)
    stop(process)
    seen = []

    def ask():
        try:
            decode(workers, tmp_path / "2")
        except errors.Fault as error:
            seen.append(type(error))

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: not workers._idle)
    os.kill(process, end)
    go_on(process)
    asking.join()
    assert seen == [fault]
    assert not (tmp_path / "2").exists()
    decode(workers, tmp_path / "3")


def test_more_memory_than_allowed_is_too_large(tmp_path):
    with Workers(Limits(processes=1, memory=16 << 20)) as workers:
        with pytest.raises(errors.TooLarge):
            decode(workers, tmp_path / "1", made.large_png(20_000, 20_000))
        assert not (tmp_path / "1").exists()
        decode(workers, tmp_path / "2")


def test_more_output_than_allowed_is_too_large(tmp_path):
    with Workers(Limits(processes=1, output=1000)) as workers:
        with pytest.raises(errors.TooLarge):
            decode(workers, tmp_path / "1", made.large_png(40, 40))
        decode(workers, tmp_path / "2", made.large_png(20, 40))


def test_a_bomb_leaves_the_parent_s_memory_flat(workers, tmp_path):
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(made.large_png(12_000, 12_000))
    before = resident()
    found = decode(workers, tmp_path / "1", bomb)
    assert (tmp_path / "1").stat().st_size == found.frame_bytes == 144_000_000
    assert resident() - before < 32 << 20


def test_many_threads_share_few_processes(tmp_path):
    faults = []
    with Workers(Limits(processes=2)) as workers:

        def work(number):
            for turn in range(5):
                rows = [[(number,), (turn,)]]
                into = tmp_path / f"{number}-{turn}"
                try:
                    decode(workers, into, made.png(rows))
                    assert into.read_bytes() == bytes([number, turn])
                except Exception as error:
                    faults.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        assert 1 <= len(workers._idle) <= 2


def test_none_free_in_time_is_unavailable(tmp_path):
    with Workers(Limits(processes=1, waiting=0.01)) as workers:
        decode(workers, tmp_path / "1")
        process = idle_process(workers)
        stop(process)
        asking = threading.Thread(target=decode, args=(workers, tmp_path / "2"))
        asking.start()
        until(lambda: not workers._idle)
        with pytest.raises(errors.Unavailable):
            decode(workers, tmp_path / "3")
        os.kill(process, signal.SIGCONT)
        asking.join()
    assert (tmp_path / "2").read_bytes() == b"\1\2"


def test_closed_workers_take_no_task_and_leave_no_process(tmp_path):
    workers = Workers(Limits(processes=1))
    decode(workers, tmp_path / "1")
    process = idle_process(workers)
    workers.close()
    assert state(process) is None
    with pytest.raises(errors.Unavailable):
        decode(workers, tmp_path / "2")


PARENT = """
import sys, threading
from pathlib import Path
from dicomgate.pixels.limits import Limits
from dicomgate.pixels.pictures import Decoder
from dicomgate.pixels.processes import Workers
folder = Path(sys.argv[1])
workers = Workers(Limits(processes=1))
decoder = Decoder(workers)
decoder.decode((folder / "small.png"), "image/png", folder / "first")
print(workers._idle[0]._process.pid, flush=True)
sys.stdin.readline()
decoder.decode((folder / "large.png"), "image/png", folder / "second")
"""


def test_a_killed_parent_leaves_no_process_behind_even_a_busy_one(tmp_path):
    (tmp_path / "small.png").write_bytes(SMALL)
    (tmp_path / "large.png").write_bytes(made.large_png(12_000, 12_000))
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        process = int(parent.stdout.readline())
        stop(process)
        parent.stdin.write("\n")
        parent.stdin.flush()
        until((tmp_path / "second").exists)
        parent.kill()
    go_on(process)
    until(lambda: state(process) is None or state(process)[0] == "Z")
    assert (tmp_path / "second").stat().st_size < 144_000_000


def test_so_many_wait_and_no_more(tmp_path):
    """One more would wait for nothing, and hold up who needs no process."""
    with Workers(Limits(processes=1, queue=1)) as few:
        decode(few, tmp_path / "1")
        stop(idle_process(few))
        (process,) = [one._process.pid for one in few._idle]
        said = []

        def ask(number):
            try:
                decode(few, tmp_path / f"asked {number}")
            except errors.Fault as fault:
                said.append(type(fault))

        asking = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
        for one in asking:
            one.start()
        until(lambda: few._asking == 2)
        with pytest.raises(errors.Unavailable, match="too many"):
            decode(few, tmp_path / "2")
        go_on(process)
        for one in asking:
            one.join(100)
        assert said == []
        decode(few, tmp_path / "3")
