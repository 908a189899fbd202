"""One account, one conversation: while a handoff of the same scope and motion is open, a second lead joins it."""

from dataclasses import dataclass

from services.handoff.domain.assignment import Floor
from services.handoff.domain.rules import Attach, Outcome, Pass, rule
from services.handoff.domain.things import Need

__all__ = ["OpenHandoffOfAccount", "decide"]


@dataclass(frozen=True, slots=True)
class OpenHandoffOfAccount:
    """No parameters: the scope (account or person) is the routing section's own."""


@rule("open_handoff_of_account", OpenHandoffOfAccount)
def decide(need: Need, _floor: Floor, _params: OpenHandoffOfAccount) -> Outcome:
    """Attach to the open handoff, if there is another one."""
    if need.open_handoff is None or need.open_handoff.id == need.handoff_id:
        return Pass("no other open handoff")
    return Attach(need.open_handoff.id, f"open handoff in state {need.open_handoff.state}")
