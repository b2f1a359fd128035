"""The command itself: finds its subcommands, and turns errors into words and exit codes."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

#: command → (module, what it does). Imported when called, so that `--help` is quick.
COMMANDS = {
    "up": ("cli.up", "Run everything here: database, broker, workers, dashboard."),
    "submit": ("cli.submit", "Enqueue a manifest, one job a row."),
    "image": ("cli.oneoff", "Make one image and wait for it."),
    "video": ("cli.oneoff", "Make one video and wait for it."),
    "transcribe": ("cli.oneoff", "Transcribe audio files and wait."),
    "schedule": ("cli.schedule", "Transcribe what is new in a folder or bucket, at set times."),
    "watch": ("cli.watch", "Follow a batch until it ends."),
    "status": ("cli.status", "Say how a batch stands, and why the rest waits."),
    "jobs": ("cli.jobs", "List jobs."),
    "show": ("cli.jobs", "Show one job with all that happened to it."),
    "export": ("cli.export", "Write a batch as files and a manifest."),
    "retry": ("cli.act", "Run failed or cancelled jobs again."),
    "cancel": ("cli.act", "Cancel jobs."),
    "resolve": ("cli.act", "Decide held jobs, whose outcome is unknown."),
    "pause": ("cli.steer", "Make no more calls of a model, or of all."),
    "resume": ("cli.steer", "End a pause."),
    "limits": ("cli.steer", "Show or set how much a model may do at once."),
    "budget": ("cli.steer", "Show or set what may be spent."),
    "costs": ("cli.steer", "Say what was spent."),
    "call": ("cli.call", "Call any endpoint of the API, as it is."),
    "keys": ("cli.keys", "Say who may use the dashboard and the HTTP API."),
    "audit": ("cli.audit", "Say who did what, and when."),
    "web": ("cli.web", "Serve the dashboard and the HTTP API alone."),
    "webhooks": ("cli.webhooks", "Say who is told of what happens."),
    "doctor": ("cli.doctor", "Check everything and say how to mend it."),
    "prune": ("cli.prune", "Remove what ended long ago, with its files."),
    "migrate": ("cli.migrate", "Bring the database's schema up to date."),
}

DATA_DIR_HELP = "Folder of `mediajobs up`: it keeps its data there, the others find it there.  [default: ./.mediajobs]"

DONE, FAILED, WRONG_USE, UNREACHABLE = 0, 1, 2, 3
#: As shells have it: 128 and the number of the signal.
INTERRUPTED = 130


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, what) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

            near = get_close_matches(args[0], COMMANDS, n=1)
            raise click.UsageError(f"{error.message} Did you mean {near[0]}?" if near else error.message, ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(err=True)
            sys.exit(INTERRUPTED)  # click would say 1, which is for jobs that failed

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except Exception as error:
            say = in_words(error)
            if say is None:
                raise
            click.echo(f"mediajobs: {say[1]}", err=True)
            sys.exit(say[0])


def in_words(error: Exception) -> tuple[int, str] | None:
    """The exit code and message of an error that a user can mend; None for a bug of ours."""
    import redis  # noqa: PLC0415 - only for an error
    from kombu.exceptions import OperationalError as BrokerError  # noqa: PLC0415
    from obstore.exceptions import BaseError  # noqa: PLC0415
    from pydantic import ValidationError  # noqa: PLC0415
    from sqlalchemy.exc import OperationalError, ProgrammingError  # noqa: PLC0415

    from worker.report import UnknownBatchError  # noqa: PLC0415
    from worker.settings import NoServicesError, NoTokenError, settings  # noqa: PLC0415

    match error:
        case NoServicesError():
            return UNREACHABLE, str(error)
        case OperationalError():
            from cli.options import is_away  # noqa: PLC0415

            reason = str(error.orig).strip().splitlines()[0]
            if not is_away(error):
                return FAILED, f"the database says: {reason}"
            return UNREACHABLE, f"cannot reach the database: {reason}; is `mediajobs up` running?"
        case BrokerError() | redis.exceptions.ConnectionError():
            from worker.doctor import place  # noqa: PLC0415 - it brings the HTTP client

            where = place(settings().broker_url or "")
            return UNREACHABLE, f"cannot reach the broker {where}; is `mediajobs up` running?"
        case ProgrammingError() if "does not exist" in str(error.orig):
            return UNREACHABLE, "the database has no tables yet, or old ones; run `mediajobs migrate`"
        case BaseError() | FileNotFoundError(filename=None):
            # A store may say pages; its first line tells enough.
            return UNREACHABLE, f"the outputs' store: {str(error).partition(chr(10))[0][:300]}"
        case UnknownBatchError() | NoTokenError():
            return WRONG_USE, str(error)
        case ValidationError() if error.title == "Settings":
            return WRONG_USE, "; ".join(map(setting_in_words, error.errors()))
        case OSError() if error.filename is not None:
            return WRONG_USE, f"cannot use {error.filename}: {error.strerror}"
        case _:
            return None


def setting_in_words(wrong: "ErrorDetails") -> str:
    """Such as `MEDIAJOBS_ON_UNKNOWN: video: Input should be 'retry' or 'hold'`."""
    name, *within = map(str, wrong["loc"])
    return ": ".join([f"MEDIAJOBS_{name.upper()}", *within, wrong["msg"].removeprefix("Value error, ")])


def use_data_dir(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        os.environ["MEDIAJOBS_DATA_DIR"] = str(value)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(package_name="mediajobs", prog_name="mediajobs")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    expose_value=False,
    is_eager=True,
    callback=use_data_dir,
    help=DATA_DIR_HELP,
)
def cli() -> None:
    """Bulk image, video and transcription jobs on Z.AI's models."""
