"""A story without a cloud: each step writes a line. Run as a process, so that it can be killed.

usage: counting_story.py HOME run|resume RUN_ID
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from nospof.errors import NospofError, PreconditionFailed
from nospof.runtime.durable import DurableRuntime
from nospof.runtime.home import prepare_home


@dataclass(frozen=True)
class Count:
    upto: int


@dataclass(frozen=True)
class Line:
    number: int
    text: str


def look(upto: int) -> tuple[int, ...]:
    return () if os.environ.get("REFUSE") else tuple(range(1, upto + 1))


def write(home: str, number: int) -> Line:
    if number == 2 and os.environ.get("FAIL_AT_TWO"):
        raise NospofError("two cannot be written")
    with (Path(home) / "lines").open("a") as file:
        file.write(f"{number}\n")
    return Line(number, f"line {number}")


def count(steps, home: str, request: Count) -> list[Line]:
    numbers = steps.read("look at the numbers", look, request.upto)
    if not numbers:
        raise PreconditionFailed("refused as asked")
    return [steps.do(f"write {number}", write, home, number) for number in numbers]


@dataclass(frozen=True)
class Story:
    request_type = Count
    story = staticmethod(count)


class Log:
    def __init__(self, home: Path):
        self.file = home / "log"

    def note(self, line: str) -> None:
        with self.file.open("a") as file:
            file.write(line + "\n")

    def step_began(self, name: str) -> None:
        self.note(f"began {name}")

    def step_ended(self, name: str, error: str = "") -> None:
        self.note(f"ended {name} {error}".strip())

    def step_replayed(self, name: str) -> None:
        self.note(f"replayed {name}")


def main() -> None:
    home, verb, run_id = prepare_home(Path(sys.argv[1])), sys.argv[2], sys.argv[3]
    runtime = DurableRuntime(
        home,
        {"count": Story()},
        os.environ.get("SCHEMA", "1"),
        str(home),
        Log(home),
        database_url=os.environ.get("NOSPOF_DATABASE_URL", ""),
    )
    request = Count(3)
    try:
        lines = (
            runtime.run("count", request, run_id, "here")
            if verb == "run"
            else runtime.resume(run_id, take_over=verb == "take-over", patience_seconds=0.5)
        )
    except NospofError as error:
        sys.stdout.write(json.dumps({"error": type(error).__name__, "message": str(error)}))
        sys.stdout.flush()
        os._exit(int(error.exit_code))
    sys.stdout.write(json.dumps([line.text for line in lines]))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
