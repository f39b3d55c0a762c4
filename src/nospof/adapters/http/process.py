"""Starts a load generator as a process and brings its measurements home, whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from types import TracebackType
from typing import IO, Self

from nospof.adapters.http.ledger import read_result
from nospof.adapters.http.reading_back import read_back
from nospof.errors import NospofError
from nospof.model.drill import LoadProgress, LoadResult, LoadSpec

START_SECONDS = 30.0
GRACE_SECONDS = 60.0
"""What a loaded machine may need beyond the load itself to settle and hand over the results."""


class HttpLoadGenerator:
    """Loads over HTTP/1.1, each from a process of its own."""

    def start(self, spec: LoadSpec) -> HttpLoadRun:
        """Begin a load; returns when the first request is due.

        Raises:
            NospofError: the generator did not begin.
        """
        run = HttpLoadRun(spec)
        try:
            run.wait_for_begin()
        except BaseException:
            run.close()
            raise
        return run

    def read_back(
        self, spec: LoadSpec, url: str, wanted: Iterable[str] = (), *, verify: bool = True
    ) -> tuple[str, ...]:
        """Return the ids of a load's writes that are kept, each as often as it is; see the port.

        Raises:
            NospofError: what was to be read could not be read whole.
        """
        return read_back(spec, url, wanted, verify=verify)


class HttpLoadRun:
    """One load under way; see `ports.load.LoadRun`."""

    def __init__(self, spec: LoadSpec) -> None:
        self._spec = spec
        self._progress: LoadProgress | None = None
        self._result: LoadResult | None = None
        self._began = threading.Event()
        self._is_closed = False
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the run
        # A session of its own: Ctrl-C reaches the caller alone, who knows what is to be undone.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "nospof.adapters.http.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._listen, name="nospof-load", daemon=True)
        self._reader.start()
        self._tell({"spec": asdict(spec), "parent": os.getpid()})

    @property
    def pid(self) -> int:
        """The generator's process id."""
        return self._process.pid

    def wait_for_begin(self) -> None:
        """Wait until the first request is due."""
        if not self._began.wait(START_SECONDS):
            raise NospofError(f"the load generator did not begin within {START_SECONDS:g} s: run it again")
        self._raise_if_lost()

    def snapshot(self) -> LoadProgress:
        """Return the counts so far."""
        self._raise_if_lost()
        return self._progress or LoadProgress()

    def stop(self) -> None:
        """Let no more requests fall due."""
        self._raise_if_lost()
        if self._result is None:
            self._tell("stop")

    def finish(self) -> LoadResult:
        """Wait for the end of the load and return all of it."""
        self._reader.join(self._spec.seconds + self._spec.timeout_seconds + GRACE_SECONDS)
        if self._reader.is_alive():
            self.close()
            raise NospofError("the load generator did not end in time: the load has no result, run it again")
        self._raise_if_lost()
        if self._result is None:  # pragma: no cover - _raise_if_lost has raised
            raise NospofError("the load has no result")
        self._process.wait(GRACE_SECONDS)
        return self._result

    def close(self) -> None:
        """End the load now and free what it holds."""
        if self._is_closed:
            return
        self._is_closed = True
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._complaints):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tell(self, order: object) -> None:
        stdin = _of(self._process.stdin)
        with suppress(BrokenPipeError):  # it is gone: whoever asks for results is told so
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.flush()

    def _listen(self) -> None:
        """Take in what the generator says, until its last word or its end."""
        stdout = _of(self._process.stdout)
        try:
            for line in stdout:
                said = json.loads(line)
                if "result" in said:
                    self._result = read_result(self._spec, said["result"], stdout)
                    return
                self._progress = LoadProgress(**said["progress"])
                self._began.set()
        except (ValueError, EOFError):
            return  # it died in the middle of a word, and without a result it is reported as lost
        finally:
            self._began.set()

    def _raise_if_lost(self) -> None:
        if self._result is not None:
            return
        if self._is_closed:
            raise NospofError("the load was closed before its end: it has no result")
        if self._reader.is_alive():
            return
        code = self._process.wait()
        self._complaints.seek(0)
        complaint = self._complaints.read()[-2_000:].decode(errors="replace").strip().rpartition("\n")[2]
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        so_far = self._progress.due if self._progress else 0
        raise NospofError(
            f"the load generator {how} after {so_far} of {self._spec.count} requests"
            f"{': ' + complaint if complaint else ''}. The load has no result: run it again"
        )


def _of(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise NospofError("the load generator has no pipe")
    return pipe
