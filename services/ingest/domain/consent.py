"""Decides what may be done with a person: granted, unknown or withdrawn, per purpose, over the whole tree.

Three voices, strongest first: the person's own acts, what others state for him (files, API), the default of a source.
Invariants: a withdrawal by the person is only lifted by the person; statements commute and repeat without effect,
since of each voice the newest counts (ties withdraw); a withdrawal of one member holds for the tree (SECURITY section
8).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from shared.contracts.kinds import Consent

__all__ = [
    "OWN_ACTS",
    "Standing",
    "Statement",
    "UnknownMeans",
    "folded",
    "is_allowed",
    "is_tied_to_person",
    "stated",
]

UnknownMeans = str
"""What unknown consent means: "scored", "not_scored", or "" while nobody answered (then as not_scored)."""

# An objection to marketing mail is one to the profiling behind it too (GDPR article 21, 2 and 3).
OWN_ACTS: Final[dict[str, Consent]] = {
    "email_unsubscribe": Consent.WITHDRAWN,
    "email_spam": Consent.WITHDRAWN,
    "email_subscribe": Consent.GRANTED,
}
"""Kinds of activity by which a person withdraws or gives again: profiling and contact alike."""

_WEIGHT: Final = {Consent.WITHDRAWN: 2, Consent.GRANTED: 1, Consent.UNKNOWN: 0}


class Statement(NamedTuple):
    """Somebody said this about one purpose at this time; `voice` is own, other or source."""

    consent: Consent
    at: datetime
    voice: str


class Standing(NamedTuple):
    """What each voice said last about one lead and purpose; None = it never spoke."""

    own: Statement | None = None
    other: Statement | None = None
    source: Statement | None = None

    @property
    def consent(self) -> Consent:
        """What counts now."""
        own, other = self.own, self.other
        if own is not None and own.consent is Consent.WITHDRAWN:
            return Consent.WITHDRAWN
        if own is not None and (other is None or other.consent is not Consent.WITHDRAWN or other.at <= own.at):
            return own.consent
        if other is not None:
            return other.consent
        return self.source.consent if self.source is not None else Consent.UNKNOWN


def stated(standing: Standing, statement: Statement) -> tuple[Standing, bool]:
    """The standing after a statement, and whether it conflicts: somebody else says granted against a withdrawal."""
    former: Statement | None = getattr(standing, statement.voice)
    newer = former is None or (statement.at, _WEIGHT[statement.consent]) > (former.at, _WEIGHT[former.consent])
    after = standing._replace(**{statement.voice: statement}) if newer else standing
    is_conflict = (
        statement.voice == "other" and statement.consent is Consent.GRANTED and after.consent is Consent.WITHDRAWN
    )
    return after, is_conflict


def folded(consents: Iterable[Consent]) -> Consent:
    """The consent of a tree: withdrawn if one member withdrew, else granted if one granted, else unknown."""
    return max(consents, key=_WEIGHT.__getitem__, default=Consent.UNKNOWN)


def is_allowed(consent: Consent, unknown_means: UnknownMeans) -> bool:
    """Whether a person with this consent for profiling may be scored and routed."""
    return consent is Consent.GRANTED or (consent is Consent.UNKNOWN and unknown_means == "scored")


def is_tied_to_person(consent: Consent, *, asked_for_contact: bool) -> bool:
    """Whether an activity is kept as this person's: after a withdrawal only what is the person's own request."""
    return consent is not Consent.WITHDRAWN or asked_for_contact
