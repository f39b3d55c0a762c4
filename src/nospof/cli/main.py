"""`nospof`: the commands, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import traceback

import click

from nospof import __version__
from nospof.errors import ExitCode, NospofError, ProcedureFailed, UsageError

COMMANDS = {
    "audit": ("nospof.cli.audit:audit", "Find every single point of failure of your services, with proof."),
    "explain": ("nospof.cli.explain:explain", "What a rule of the audit means and what mends it."),
    "clone": ("nospof.cli.procedures:clone", "Copy an instance into another zone: off, image, on again."),
    "pair": ("nospof.cli.procedures:pair", "Put an instance and its twin behind a load balancer."),
    "cut-over": (
        "nospof.cli.cut_over:cut_over",
        "Lead names to the pair, watched, and back if it serves worse.",
    ),
    "maintain": ("nospof.cli.maintain:maintain", "What AWS has announced, taken one member at a time."),
    "data": ("nospof.cli.data:data", "How a service's data is kept in step, and brought back into it."),
    "drill": ("nospof.cli.drill:drill", "Break one member under load and count what the clients saw."),
    "serve": ("nospof.cli.serve:serve", "The console: pages and a web API, with a token."),
    "worker": ("nospof.cli.serve:worker", "Do what was asked of a web API elsewhere."),
    "runs": ("nospof.cli.runs:runs", "List, show, resume, stop, undo and repair runs."),
    "permissions": (
        "nospof.cli.permissions:permissions",
        "What a procedure asks AWS for, as a policy that grants just that.",
    ),
    "cloud": ("nospof.cli.cloud:cloud", "The local cloud: an AWS endpoint on this computer."),
    "demo": ("nospof.cli.demo:demo", "The whole story on this computer, without an AWS account."),
}


class LazyGroup(click.Group):
    """Commands that are imported when they are called: `--help` imports none of them."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names in the order of the story."""
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Import a command."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        # What is imported stays: looking for garbage in it is a sixth of the time.
        gc.disable()
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        finally:
            gc.enable()
        if os.environ.get("NOSPOF_SERVER"):
            from nospof.cli.remote import keep_to_server

            keep_to_server(command, name)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in COMMANDS.items()])


EPILOG = """\b
Exit codes: 0 done, 1 a fault of nospof, 2 not understood, 3 refused and nothing
changed, 4 failed half-way (can be resumed), 5 the cloud refused, 10 findings,
11 drill failed, 13 incomplete.
\b
AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and boto3's other conventions work.
With NOSPOF_SERVER=https://ops.example.com a nospof serve there is asked instead.
Try it without an account: nospof demo
"""


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nospof")
def cli() -> None:
    """Take a service that lives on ONE EC2 instance and make it one that no single failure can take
    down; then prove it by breaking it on purpose."""  # noqa: D205, D209 - shown to people as it stands


def main() -> None:
    """Run the command line; ends the process."""
    try:
        code = cli.main(standalone_mode=False, prog_name="nospof")
    except click.exceptions.Abort:
        leave("nospof: stopped.", ExitCode.REFUSED)
    except click.ClickException as error:
        if wants_json():
            leave(told(UsageError(error.format_message())), ExitCode.USAGE)
        error.show()
        leave("", ExitCode.USAGE)
    except NospofError as error:
        leave(told(error), error.exit_code)
    except BrokenPipeError:
        os._exit(ExitCode.DONE)
    except OSError as error:
        what = error.filename or "the result could not be written"
        leave(f"nospof: {what}: {error.strerror}", ExitCode.BUG)
    except Exception:  # noqa: BLE001 - the edge: what arrives here is a fault of ours
        traceback.print_exc()
        leave("nospof: this is a fault of nospof; please report it with the lines above.", ExitCode.BUG)
    leave("", code if isinstance(code, int) else ExitCode.DONE)


def leave(message: str, code: int) -> None:
    """Say the last word and end the process, whatever threads a library has left running."""
    if message:
        sys.stderr.write(message + "\n")
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except OSError as error:
        sys.stderr.write(f"nospof: the result could not be written: {error.strerror}\n")
        code = code or ExitCode.BUG
    finally:
        os._exit(code)


def told(error: NospofError) -> str:
    """Return what a person is told, or the same as JSON when that was asked for."""
    if wants_json():
        from nospof.render.answers import envelope

        sys.stdout.write(json.dumps({"error": envelope(error)}, indent=2) + "\n")
        return ""
    lines = [f"nospof: {error}"]
    if isinstance(error, ProcedureFailed) and error.run_id:
        lines = [f"nospof: {error.run_id} failed at '{error.step}': {error}"]
        lines += [f"  {sentence}" for sentence in error.exists]
        lines.append(f"  resume it: nospof runs resume {error.run_id}")
        if error.run_id.startswith(("clone-", "pair-")):
            lines.append(f"  or take apart what it made: nospof runs undo {error.run_id} --plan")
        lines.append(f"  look at it: nospof runs show {error.run_id}")
    return "\n".join(lines)


def wants_json() -> bool:
    """Whether the command line asks for JSON, however far it was understood."""
    return ("--format" in sys.argv and "json" in sys.argv) or "--format=json" in sys.argv
