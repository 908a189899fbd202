"""What an agreed reason asks for besides its code; checked at the press, so that nobody learns it later."""

from collections.abc import Mapping
from typing import Any

from services.console.domain.records import AgreementRow
from services.console.domain.words import label

__all__ = ["missing_field"]

_GROUP_OF_COMMAND = {"reject": "reject", "pause": "pause"}
_GROUP_OF_DISPOSITION = {"recycle": "recycle", "disqualify": "reject"}
_QUESTION = {
    "sub_reason": "say more exactly why",
    "until_on": "say from when the lead is good again",
    "text": "add a note",
}


def missing_field(command: str, form: Mapping[str, str], agreement: AgreementRow | None) -> str:
    """What the form still lacks, as a sentence; empty when it is whole or the agreement is not known here."""
    group = _GROUP_OF_COMMAND.get(command) or _GROUP_OF_DISPOSITION.get(form.get("disposition", ""))
    if group is None:
        return ""
    code = form.get("reason_code", "")
    if not code:
        return "Choose a reason."
    for need in _needs(agreement, group, code):
        if not form.get(need):
            return f'For "{label("reason", code)}" please {_QUESTION.get(need, need)}.'
    return ""


def _needs(agreement: AgreementRow | None, group: str, code: str) -> tuple[str, ...]:
    reasons: Any = (agreement.document.get("reasons") or {}).get(group) if agreement else None
    route = reasons.get(code) if isinstance(reasons, Mapping) else None
    needs = route.get("needs") if isinstance(route, Mapping) else None
    if isinstance(needs, str):
        return (needs,)
    return tuple(str(need) for need in needs or ())
