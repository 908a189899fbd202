"""Entry of the `baton` command: the table of its commands, and how errors end it.

Starts in under half a second: whatever is heavy is imported by the command that needs it.
"""

import signal
import sys

import typer

from deploy.cli import demo, doctor, imports, operate, parked, privacy, replay, source_changes, stacks
from deploy.cli.exits import CommandError, Exit
from deploy.cli.output import say
from deploy.local.missing import Missing

__all__ = ["app", "main"]

app = typer.Typer(name="baton", no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command()(stacks.up)
app.command()(stacks.down)
app.command()(stacks.status)
app.command()(doctor.doctor)
app.command()(operate.migrate)
app.command()(operate.topics)
app.command()(operate.verify)
app.command()(operate.explain)
app.command("replay-decision")(operate.replay_decision)
app.command()(demo.demo)
app.command()(privacy.erase)
app.command()(privacy.export)
app.command("consent-default")(privacy.consent_default)
app.add_typer(imports.imports, name="import")
app.add_typer(replay.replay, name="replay")
app.add_typer(parked.parked, name="parked")
app.add_typer(operate.user, name="user")
app.add_typer(source_changes.source, name="source")


@app.callback()
def _about() -> None:
    """Baton: closed-loop lead handoff.

    Exit codes: 0 done, 1 failed, 2 wrong use, 3 refused, 4 missing, 5 in part, 130 interrupted.
    """


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run one command; the exit code of the process."""
    signal.signal(signal.SIGTERM, _interrupt)  # as Ctrl-C: a command that started a stack for itself ends it
    try:
        result = app(standalone_mode=False)
    except (CommandError, Missing) as error:
        say(str(error))
        return error.code if isinstance(error, CommandError) else Exit.MISSING
    except (typer.Abort, KeyboardInterrupt):
        say("Interrupted.")
        return Exit.INTERRUPTED
    except Exception as error:
        show = getattr(error, "show", None)  # the parser's own errors: wrong use, said by the parser
        if show is None:
            raise
        show()
        return Exit.WRONG_USE
    return result if isinstance(result, int) else Exit.DONE


if __name__ == "__main__":
    sys.exit(main())
