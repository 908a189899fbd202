"""What a draft must satisfy before anybody may sign it.

Every route ends somewhere, every promise can be measured.

The schema is checked when the document is read; examples are classified by scoring, pools and calendars known to
handoff come in as arguments. Pure; returns every problem at once, each with its place and what to do next. DOMAIN
1.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.feedback.domain.commitments import MEASURES
from services.feedback.domain.numbers import NUMBERS
from shared.contracts.agreement import Agreement, Criteria

# Three leads that must qualify and three that must not: fewer do not pin a definition down.
EXAMPLES_MIN = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: where (JSON pointer), a stable code, and a sentence."""

    pointer: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Classified:
    """How scoring classified one example of the draft."""

    product: str
    position: int
    expected: bool
    actual: bool
    score: int


def members_of(agreement: Agreement) -> tuple[UUID, ...]:
    """The reps that the pools name, each once, by id; what is no id of a user is left out: nobody can know it."""
    named = (member.rep for pool in agreement.routing.pools for member in pool.members)
    return tuple(sorted({rep_id for rep_id in map(_user_id, named) if rep_id is not None}))


def problems_of(agreement: Agreement, *, known_reps: Collection[UUID]) -> tuple[Problem, ...]:
    """Everything wrong with the document itself; `known_reps` are those of its members whom handoff knows."""
    return (
        *_products(agreement),
        *(problem for at, criteria in enumerate(agreement.qualification) for problem in _criteria(at, criteria)),
        *_routing(agreement, known_reps),
        *_sla(agreement),
        *_commitments(agreement),
        *_reports(agreement),
    )


def problems_of_examples(classified: Sequence[Classified]) -> tuple[Problem, ...]:
    """Examples that come out otherwise than stated."""
    return tuple(
        Problem(
            pointer=f"/qualification/{each.product}/examples/{each.position}",
            code="example",
            message=(
                f"example {each.position + 1} of {each.product} must{'' if each.expected else ' not'} qualify "
                f"but comes out {'qualified' if each.actual else 'not qualified'} with score {each.score}; "
                "change the criteria or the example"
            ),
        )
        for each in classified
        if each.expected != each.actual
    )


def _products(agreement: Agreement) -> Iterator[Problem]:
    named = [criteria.product for criteria in agreement.qualification]
    if "default" not in named:
        yield Problem("/qualification", "no_default", "criteria of the product `default` are required; add them")
    if len(set(named)) < len(named):
        yield Problem("/qualification", "twice", "a product has one set of criteria; merge the repeated ones")
    known = {product.name for product in agreement.products}
    for at, name in enumerate(named):
        if name not in known:
            yield Problem(
                f"/qualification/{at}/product", "unknown_product", f"{name} is not among the products; add it"
            )


def _criteria(at: int, criteria: Criteria) -> Iterator[Problem]:
    place = f"/qualification/{at}"
    thresholds = criteria.thresholds
    if thresholds.demote >= thresholds.qualify:
        yield Problem(
            f"{place}/thresholds/demote",
            "no_band",
            f"demote ({thresholds.demote}) must be below qualify ({thresholds.qualify}), or leads flip to and fro",
        )
    for is_qualified in (True, False):
        found = sum(example.is_qualified is is_qualified for example in criteria.examples)
        if found < EXAMPLES_MIN:
            kind = "examples" if is_qualified else "counter-examples"
            yield Problem(
                f"{place}/examples",
                "few_examples",
                f"{found} {kind}; {EXAMPLES_MIN} are needed to pin the definition down",
            )


def _routing(agreement: Agreement, known_reps: Collection[UUID]) -> Iterator[Problem]:
    routing = agreement.routing
    pools = [pool.name for pool in routing.pools]
    for at, rule in enumerate(routing.rules):
        if rule.pool is not None and rule.pool not in pools:
            yield Problem(
                f"/routing/rules/{at}/pool",
                "unknown_pool",
                f"rule {rule.rule} leads to pool {rule.pool}, which is not there",
            )
    if not routing.fallback.queue.strip() or not routing.fallback.owner.strip():
        yield Problem("/routing/fallback", "no_end", "what no rule places needs a queue with an owner; name both")
    for at, pool in enumerate(routing.pools):
        if pools.count(pool.name) > 1:
            yield Problem(f"/routing/pools/{at}", "twice", f"pool {pool.name} is there twice; rename or merge")
        for position, member in enumerate(pool.members):
            if _user_id(member.rep) not in known_reps:
                yield Problem(
                    f"/routing/pools/{at}/members/{position}/rep",
                    "unknown_rep",
                    f"{member.rep} is no rep; make one first",
                )


def _sla(agreement: Agreement) -> Iterator[Problem]:
    tiers = agreement.sla.tiers
    if not tiers or tiers[-1].when is not None:
        yield Problem("/sla/tiers", "no_end", "the last tier must hold for every handoff; leave its `when` out")
    for at, tier in enumerate(tiers):
        if tier.ladder not in agreement.sla.ladders:
            yield Problem(f"/sla/tiers/{at}/ladder", "unknown_ladder", f"ladder {tier.ladder} is not there; define it")
        if tier.when is None and at < len(tiers) - 1:
            yield Problem(
                f"/sla/tiers/{at}/when", "hides_others", f"{tier.name} holds for all, so later tiers never do"
            )
        for clock, term in (("accept", tier.accept), ("touch", tier.touch)):
            if not term.length_seconds:
                yield Problem(
                    f"/sla/tiers/{at}/{clock}", "no_length", f"the {clock} clock of {tier.name} needs a length"
                )
    for name, steps in agreement.sla.ladders.items():
        if [step.at for step in steps] != sorted(step.at for step in steps):
            yield Problem(f"/sla/ladders/{name}", "disordered", f"the rungs of {name} must stand in order of time")


def _commitments(agreement: Agreement) -> Iterator[Problem]:
    for at, commitment in enumerate(agreement.commitments):
        place = f"/commitments/{at}"
        if commitment.measure not in MEASURES:
            names = ", ".join(sorted(MEASURES))
            yield Problem(
                f"{place}/measure", "unknown_measure", f"{commitment.measure} is not measured; choose of {names}"
            )
        if (commitment.at_least is None) == (commitment.at_most is None):
            yield Problem(place, "one_bound", "a commitment has exactly one of at_least and at_most")
    for team in ("marketing", "sales"):
        if not any(commitment.team == team for commitment in agreement.commitments):
            yield Problem("/commitments", "one_sided", f"{team} promises nothing; an agreement binds both teams")


def _reports(agreement: Agreement) -> Iterator[Problem]:
    for at, report in enumerate(agreement.reports):
        for name in report.numbers:
            if name not in NUMBERS:
                yield Problem(
                    f"/reports/{at}/numbers", "unknown_number", f"{name} is not a number of ours; take it out"
                )


def _user_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
