"""`baton up`, `down`, `status`: the stack on this machine."""

from pathlib import Path

from deploy.cli.calls import calling
from deploy.cli.exits import CommandError, Exit, Failed
from deploy.cli.homes import homes
from deploy.cli.output import AsJson, say, show_document, show_pairs, show_table
from deploy.local import stack, state
from deploy.local.processes import is_running
from deploy.local.stack import DidNotStart
from deploy.local.state import State, home_folder

__all__ = ["down", "status", "up"]

_NEXT = (
    ("sign in", "baton user add --admin you@example.org   prints a password for the console"),
    ("send events", "baton source create website               prints a write key and a line to try it with"),
    ("stop", "baton down"),
)
_ASK_CONSENT = (
    "decide",
    "baton consent-default scored|not-scored    what unknown consent means; until then: not scored",
)


def up(*, as_json: AsJson = False) -> None:
    """Start Kafka, PostgreSQL and the services, or find them."""
    was_running = stack.find(home_folder()) is not None
    try:
        running = stack.up(home_folder(), tell=lambda step: say(f"  {step}"))
    except DidNotStart as error:
        raise Failed(str(error)) from error
    if as_json:
        show_document({"was_running": was_running, **_document(running)})
        return
    print("Baton was already running." if was_running else "Baton is up.")
    _show(running)
    print("\nNext:")
    show_pairs(_NEXT if _is_consent_answered() else (*_NEXT, _ASK_CONSENT))


def _is_consent_answered() -> bool:
    """Whether somebody said what unknown consent means; asked at every start until then (DECISIONS 4)."""
    try:
        with calling() as calls:
            return bool(calls.call("ingest", "GET", "/v1/consent-default")["is_answered"])
    except CommandError:  # a stack that was running, one of its services just restarting: it is asked next time
        return True


def down(*, as_json: AsJson = False) -> None:
    """End exactly what was started here. Data stay."""
    ended = {str(home): stack.down(home) for home in homes()}
    if as_json:
        show_document({"ended": {home: names for home, names in ended.items() if names}})
        return
    names = [name for listed in ended.values() for name in listed]
    print(f"Ended: {', '.join(names)}." if names else "Nothing was running.")


def status(*, as_json: AsJson = False) -> int:
    """Say what runs where. Exit code 4 when nothing does."""
    found = [known for known in map(state.read, homes()) if known is not None]
    if as_json:
        show_document({"stacks": [_document(known) for known in found]})
    for known in found:
        if not as_json:
            _show(known)
    if not found and not as_json:
        print("Nothing is running. Start it with: baton up")
    return Exit.DONE if found else Exit.MISSING


def _document(known: State) -> dict[str, object]:
    processes = {
        name: {"pid": process.pid, "is_running": is_running(process)} for name, process in known.processes().items()
    }
    return {
        "environment": known.environment,
        "home": known.home,
        "started_at": known.started_at,
        "is_ready": known.is_ready,
        "is_supervised": known.is_supervised(),
        "console": known.services["console"].url if known.services else None,
        "services": {
            name: {"url": one.url, "internal_url": one.internal_url, "log": one.log, "restarts": one.restarts}
            for name, one in known.services.items()
        },
        "kafka": known.kafka and {"address": known.kafka.address, "version": known.kafka.version},
        "postgres": known.postgres and {"version": known.postgres.version, "data": known.postgres.data},
        "processes": processes,
    }


def _show(known: State) -> None:
    processes = known.processes()
    rows = []
    for name in ["postgres", "kafka", *known.services, "supervisor"]:
        process = processes.get(name)
        service = known.services.get(name)
        address = service.url if service else known.kafka.address if name == "kafka" and known.kafka else ""
        alive = "given" if process is None else "runs" if is_running(process) else "ended"
        rows.append([name, alive, process.pid if process else "", address, service.restarts if service else ""])
    show_table(f"{known.environment} stack in {known.home}", ["part", "state", "pid", "address", "restarts"], rows)
    if known.services:
        print()
        show_pairs([("console", known.services["console"].url), ("logs", Path(known.home) / "logs")])
    if not known.is_supervised():
        print("\nIts supervisor was killed: nothing is started again. `baton down` ends what it left.")
