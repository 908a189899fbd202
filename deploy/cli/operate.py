"""What operators do with a running stack: migrate, topics, users, the ledger, explanations."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.calls import calling, stack_variables
from deploy.cli.exits import Exit, Failed, NeedsMissing, RefusedByRule
from deploy.cli.output import AsJson, say, show_document, show_pairs, show_table
from shared.config import SERVICES

__all__ = ["explain", "migrate", "replay_decision", "topics", "user", "verify"]

_PAGE = 100
_EXPLAINED_MOST = 50  # decisions of one handoff that are asked for: its placings, and who joined it
_NOT_FOUND, _NO_ID = 404, 422
_ROOT = Path(__file__).resolve().parents[2]
user = typer.Typer(no_args_is_help=True, help="Local users of the console.")


def migrate(*, as_json: AsJson = False) -> None:
    """Run every service's pending migrations."""
    _prepare("migrate", as_json=as_json)


def topics(*, as_json: AsJson = False) -> None:
    """Make the topics of the catalog that are missing."""
    _prepare("topics", as_json=as_json)


def verify(*, as_json: AsJson = False) -> int:
    """Is all that came in accounted for? Exit code 1 if not."""
    with calling() as calls:
        audits = {service: calls.call(service, "GET", "/internal/verify", internal=True) for service in SERVICES}
    gaps = [{"service": service, **gap} for service, audit in audits.items() for gap in audit["gaps"]]
    total = sum(int(gap["rows"]) for gap in gaps)
    if as_json:
        show_document({"ledger_gap": total, "gaps": gaps})
    elif gaps:
        rows = [[gap["service"], gap["part"], gap["name"], gap["rows"], " ".join(gap["ids"][:2])] for gap in gaps]
        show_table("What nobody accounts for", ["service", "part", "must hold", "rows", "first ids"], rows)
    else:
        print(f"Nothing is missing: the ledgers of {len(audits)} services have no gap.")
    return Exit.FAILED if gaps else Exit.DONE


@user.command("add")
def user_add(
    email: str,
    *,
    name: Annotated[str, typer.Option(help="As others see it; else the part before the @.")] = "",
    role: Annotated[str, typer.Option(help="rep, manager, marketer, revops or admin")] = "rep",
    admin: Annotated[bool, typer.Option("--admin", help="The same as --role admin.")] = False,
    team: Annotated[str, typer.Option(help="Team id, for reps and managers.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add a user who signs in with a password; it is made here and shown once.

    Exit codes: 0 added, 3 refused (the text names the field, why, and what to give), 4 no stack is running.
    """
    body: dict[str, Any] = {
        "email": email,
        "name": name or email.partition("@")[0],
        "role": "admin" if admin else role,
        **({"team_id": team} if team else {}),
    }
    with calling() as calls:
        made = calls.call("console", "POST", "/internal/users", internal=True, body=body)
    if as_json:
        show_document(made)
        return
    show_pairs([("user", email), ("role", body["role"]), ("password (shown once)", made.get("password", ""))])


def explain(handoff_id: str, *, as_json: AsJson = False) -> None:
    """Why this rep and nobody else, from what was stored then. Takes the id of a handoff, as its page shows it."""
    with calling() as calls:
        decision = _decision_of(calls, handoff_id)
    if as_json:
        show_document(decision)
        return
    show_pairs([(name, value) for name, value in decision.items() if not isinstance(value, (list, dict))])
    for sentence in (*decision.get("explanation", ()), *decision["joined"]):
        print(sentence)
    for name, value in decision.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            columns = list(value[0])
            show_table(name, columns, [[one.get(column, "") for column in columns] for one in value])


def replay_decision(
    decision_id: Annotated[str, typer.Argument(help="One decision; without it, all of them.")] = "",
    *,
    as_json: AsJson = False,
) -> int:
    """Decide routing again from stored inputs. Exit code 1 when one decision differs."""
    with calling() as calls:
        ids = [decision_id] if decision_id else _all_decisions(calls)
        results = [calls.call("handoff", "POST", f"/v1/routing-decisions/{one}/replay") for one in ids]
    differing = [one for one in results if not one["is_same"]]
    if as_json:
        show_document({"replayed": len(results), "differing": differing})
    else:
        print(f"{len(results)} decisions computed again, {len(differing)} differ.")
        for one in differing:
            print(f"  {one['id']}: {'; '.join(map(str, one['differences']))}")
    return Exit.FAILED if differing else Exit.DONE


def _decision_of(calls: Any, named: str) -> Any:  # noqa: ANN401 - JSON of a service
    """The newest decision that placed the handoff of this id, with how those that joined it since were decided.

    What people did where no rule decided. Raises NeedsMissing when there is no such handoff.
    """
    from deploy.local.operator import CallError  # noqa: PLC0415 - as in deploy/cli/calls.py

    try:
        handoff = calls.call("handoff", "GET", f"/v1/handoffs/{named}")
    except CallError as error:
        if error.status not in {_NOT_FOUND, _NO_ID}:
            raise
        raise NeedsMissing(f"There is no handoff {named}: a lead's page in the console shows its ids.") from error
    ids = handoff["routing_decisions"]
    decisions = [calls.call("handoff", "GET", f"/v1/routing-decisions/{one}") for one in ids[-_EXPLAINED_MOST:]]
    joined = [one for one in decisions if one["record"]["result"]["attach_to"] is not None]
    placed = [one for one in decisions if one not in joined] or joined
    if not placed and handoff["assignments"]:
        sentence = "No rule chose this rep: it waited in a queue for a person, who gave it away by hand."
        return {"handoff_id": named, "explanation": [sentence], "assignments": handoff["assignments"], "joined": []}
    if not placed:
        raise RefusedByRule("Nobody has it yet: nothing was decided that could be explained.")
    told = [f"{one['lead_id']}, by {one['decided_by']}: {' '.join(one['explanation'])}" for one in joined]
    return placed[-1] | {"joined": told}


def _all_decisions(calls: Any) -> list[str]:  # noqa: ANN401 - the caller's class is imported late
    found: list[str] = []
    cursor = ""
    while True:
        page = calls.call(
            "handoff", "GET", "/v1/handoffs", params={"limit": _PAGE, **({"cursor": cursor} if cursor else {})}
        )
        for handoff in page["handoffs"]:
            found += calls.call("handoff", "GET", f"/v1/handoffs/{handoff['id']}")["routing_decisions"]
        cursor = page["next"] or ""
        if not cursor:
            return found


def _prepare(what: str, *, as_json: bool) -> None:
    command = [sys.executable, "-m", "deploy.local.prepare", what]
    variables = stack_variables()
    if "BATON_DATABASE_URL" not in variables:
        raise NeedsMissing("No stack is running and BATON_DATABASE_URL is not set: try `baton up`.")
    done = subprocess.run(
        command, env={**os.environ, **variables}, cwd=_ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        say(done.stderr[-2000:])
        raise Failed(f"{what} did not finish; what it said is above.")
    print(done.stdout.strip() if as_json else f"Done: {done.stdout.strip()}")
