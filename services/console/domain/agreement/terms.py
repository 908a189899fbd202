"""To whom a lead goes and by when: the sections of the routing policy and of the promises with their ladders."""

from services.console.domain.agreement.blocks import Block, Doc, Section, condition_sentence, filled, span_sentence
from services.console.domain.words import DASH, label, spoken

__all__ = ["routing_section", "sla_section"]


def routing_section(routing: Doc) -> Section:
    """The rules in the order they are asked, and the pools they lead to."""
    rules = tuple(
        (f"{number}. {spoken(str(rule.get('rule', '')))}", condition_sentence(rule.get("when")), _rule_target(rule))
        for number, rule in enumerate(routing.get("rules") or (), start=1)
    )
    pools = tuple(
        (
            spoken(str(pool.get("name", ""))),
            str(len(pool.get("members") or ())),
            ", ".join(spoken(str(skill)).lower() for skill in pool.get("skills") or ()) or DASH,
        )
        for pool in routing.get("pools") or ()
    )
    limits = routing.get("limits") or {}
    fallback = routing.get("fallback") or {}
    whole = "the account" if routing.get("handoff_scope", "account") == "account" else "the person"
    intro = (
        f"Rules are asked in this order; the first that answers decides. One handoff is open for {whole} at a time. A "
        f"lead that no rule places waits in {fallback.get('queue', 'unrouted')}, which "
        f"{fallback.get('owner', 'revops')} owns. It is offered to at most {limits.get('assignments_max', '?')} reps."
    )
    blocks = [
        Block("Rules", ("Rule", "When", "Gives it to"), rules),
        Block("Pools", ("Pool", "Members", "Skills"), pools),
    ]
    return Section("routing", "To whom", intro if routing else "", filled(blocks))


def _rule_target(rule: Doc) -> str:
    if rule.get("pool"):
        return f"Pool {rule['pool']}"
    return f"By {spoken(str(rule['fact'])).lower()}" if rule.get("fact") else DASH


def sla_section(sla: Doc) -> Section:
    """The promises per tier, the ladders behind them, and the clocks of every handoff."""
    tiers = tuple(
        (
            label("tier", tier.get("name", "")),
            condition_sentence(tier.get("when")),
            span_sentence(tier.get("accept") or {}),
            span_sentence(tier.get("touch") or {}),
            spoken(str(tier.get("ladder", ""))),
        )
        for tier in sla.get("tiers") or ()
    )
    ladders = tuple(
        (
            spoken(str(name)),
            ", ".join(
                f"at {float(rung.get('at', 0)):.0%} {label('rung', rung.get('do', '')).lower()}" for rung in rungs
            ),
        )
        for name, rungs in (sla.get("ladders") or {}).items()
    )
    common = tuple((label("clock", name), span_sentence(span)) for name, span in (sla.get("common") or {}).items())
    pause = sla.get("pause") or {}
    intro = (
        "A promise is measured in the open hours of the rep who holds the lead, unless it says otherwise. A clock may "
        f"be paused {pause.get('max', 1)} time for at most {pause.get('business_days', '?')} business days."
    )
    blocks = [
        Block("Promises per tier", ("Tier", "When", "Accept within", "First touch within", "Ladder"), tiers),
        Block("Ladders", ("Ladder", "Steps"), ladders),
        Block("Further clocks", ("Clock", "Runs"), common),
    ]
    return Section("sla", "By when", intro if sla else "", filled(blocks))
