"""Processes that start at once: copies of one that has imported torch and reidzoo, which takes seconds.

A copy is as good as ``python ...`` for what is run in it: it has its own memory, environment, folder, exit code and
signals. It shares with its sisters what an interpreter is given when it starts: ``PYTHONHASHSEED``, the number of
threads, what torch takes the processor for. Tests of these start an interpreter.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

REPOSITORY = Path(__file__).parent.parent
IMPORTS = ("torch._dynamo", "torchvision", "sklearn.cluster", "reidzoo.runs.pipeline", "reidzoo.tables")
HEADER = 4
"""Bytes that say how long a request is."""


class WarmProcess:
    """A started copy.

    Args:
        words: what it runs.
        printed: the files of what it prints, stdout's and stderr's.
        answers: gives the process's number, and its exit code when it has ended, a line each.
    """

    def __init__(self, words: Sequence[str], printed: Sequence[Path], answers: socket.socket) -> None:
        self.words, self.printed = words, printed
        self.answers = answers.makefile("r")
        self.pid = int(self.answers.readline())

    def finish(self, timeout: float = 900) -> subprocess.CompletedProcess:
        """Wait for its end, and return what ``subprocess.run`` would; it is killed when time is up."""
        if not select.select([self.answers], [], [], timeout)[0]:
            os.kill(self.pid, signal.SIGKILL)
            raise TimeoutError(f"{self.words} took more than {timeout} s")
        code = int(self.answers.readline())
        return subprocess.CompletedProcess(self.words, code, *(path.read_text() for path in self.printed))


class WarmPython:
    """The process that is copied; it starts when it is first needed, and ends with the one that has started it.

    Args:
        folder: for what copies print.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        self.process: subprocess.Popen | None = None

    def _open(self) -> None:
        self.requests, theirs = socket.socketpair()
        command = [sys.executable, __file__, str(theirs.fileno())]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=env)
        theirs.close()

    def start(self, words: Sequence[object], cwd: object = ".", env: Mapping[str, str] = os.environ) -> WarmProcess:
        """Start what ``python WORDS`` would: a script, ``-m MODULE`` or ``-c CODE``, and its arguments."""
        if self.process is None:
            self._open()
        self.count += 1
        words, printed = [*map(str, words)], [self.folder / f"{self.count}-{name}.txt" for name in ("out", "err")]
        text = json.dumps({"words": words, "cwd": os.path.abspath(str(cwd)), "env": dict(env)}).encode()
        ours, theirs = socket.socketpair()
        with ours, theirs, open(printed[0], "w") as out, open(printed[1], "w") as err:
            descriptors = [file.fileno() for file in (theirs, out, err)]
            socket.send_fds(self.requests, [len(text).to_bytes(HEADER, "big")], descriptors)
            self.requests.sendall(text)
            theirs.close()
            return WarmProcess(words, printed, ours)

    def run(self, words: Sequence[object], **options) -> subprocess.CompletedProcess:
        """Run to its end what ``python WORDS`` would."""
        return self.start(words, **options).finish()

    def close(self) -> None:
        """End the process; copies that still run go on."""
        if self.process is not None:
            self.requests.close()
            self.process.wait()
            self.process = None


# --- in the process that is copied ------------------------------------------------------------------------------------


def serve(requests: socket.socket) -> dict | None:
    """Fork for each request, and tell how each copy ended; return the request in a copy, None at the end."""
    running: dict[int, socket.socket] = {}
    ended, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes)
    while True:
        ready, _, _ = select.select([requests, ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _tell(running)
        if requests in ready:
            header, descriptors, *_ = socket.recv_fds(requests, HEADER, 3)
            if not header:
                return None
            request = json.loads(requests.recv(int.from_bytes(header, "big"), socket.MSG_WAITALL))
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for number in (ended, wakes):
                    os.close(number)
                for one in (requests, *running.values()):
                    one.close()
                os.close(descriptors.pop(0))
                return {**request, "output": descriptors}
            answers = socket.socket(fileno=descriptors[0])
            answers.sendall(f"{pid}\n".encode())
            running[pid] = answers
            for number in descriptors[1:]:
                os.close(number)


def _tell(running: dict[int, socket.socket]) -> None:
    """Give the exit codes of the copies that have ended to those who wait for them."""
    for pid in list(running):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            with running.pop(pid) as answers, contextlib.suppress(BrokenPipeError):  # who asked has gone
                answers.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def become(request: dict) -> None:
    """Make a copy what an interpreter is when it begins with what is requested."""
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    for number, descriptor in enumerate(request["output"], 1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    random.seed()
    sys.modules["numpy"].random.seed()  # an interpreter's own numbers differ each time
    path = [os.path.abspath(name) for name in os.environ.get("PYTHONPATH", "").split(os.pathsep) if name]
    kind, *rest = request["words"]
    script = kind not in ("-m", "-c")
    first = os.path.dirname(os.path.abspath(kind)) if script else ""
    sys.path[:] = [first, *path, *(name for name in sys.path[1:] if name not in path)]
    sys.argv = [kind, *rest] if script else [kind, *rest[1:]]


def run(kind: str, *rest: str) -> None:
    """Run a script, ``-m MODULE`` or ``-c CODE``."""
    if kind not in ("-m", "-c"):
        runpy.run_path(kind, run_name="__main__")
    elif kind == "-m":
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})


def finish(main: Callable[[], None]) -> NoReturn:
    """Call ``main`` and exit as an interpreter does, but for taking its modules to pieces, which takes seconds."""
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    for module in IMPORTS:
        __import__(module)
    wanted = serve(socket.socket(fileno=int(sys.argv[1])))
    if wanted is not None:
        become(wanted)
        finish(lambda: run(*wanted["words"]))
