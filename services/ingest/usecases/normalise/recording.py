"""Makes activities of observations: kind, channel, place, verdict; the personal part beside; the events that leave."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from operator import attrgetter
from uuid import UUID

from services.ingest.domain.activity import Placed, channel_of, kind_of, placed
from services.ingest.domain.consent import OWN_ACTS, is_tied_to_person
from services.ingest.domain.machine import MailActivity, Verdict, at_first_sight, judged, user_agent_family
from services.ingest.domain.observation import Observation
from services.ingest.domain.source import SourceSettings
from services.ingest.store.people import TextRow
from services.ingest.usecases.normalise.consenting import consent_of_tree
from services.ingest.usecases.normalise.draft import Draft, PendingActivity, caused_by_delivery
from services.ingest.usecases.normalise.hashing import link_hash
from services.ingest.usecases.normalise.reading import Item
from shared.contracts.activities import ActivityCorrected, ActivityRecorded, Property
from shared.contracts.envelope import Event, Payload
from shared.contracts.kinds import ActivityKind, Channel, Direction
from shared.ids import derived_id

__all__ = ["ASKING", "activity_events", "kind_and_place", "mail_of", "record", "rejudged"]

ASKING = frozenset(
    {"form_submit", "demo_requested", "meeting_requested", "trial_started", "ad_lead", "email_replied", *OWN_ACTS}
)
"""Kinds by which a person turns to us himself: tied to him whatever he said about profiling."""
_MAIL = frozenset({"email_delivered", "email_open", "email_click"})
_PAGES = frozenset({"page_view", "pricing_viewed"})
_TEXT_MAX = 256
_PLACED = tuple(Placed.__slots__)
_PLACES_OF: Callable[[Placed], tuple[str | None, ...]] = attrgetter(*_PLACED)
# An enum's own look-up by value is a call; every activity asks for three.
_KIND_OF = {kind.value: kind for kind in ActivityKind}
_DIRECTION_OF = {direction.value: direction for direction in Direction}
_CHANNEL_OF = {channel.value: channel for channel in Channel}
_ACTIVE_STEP = timedelta(days=1)  # retention counts days; a write for every page view would be for nothing


def kind_and_place(item: Item) -> tuple[str, dict[str, str | None]]:
    """The kind of an observation, and where it came from as payload fields."""
    observation, request = item.observation, item.delivery.request
    settings = item.delivery.settings
    place = placed(observation.touch, pages=settings.pages)
    kind = kind_of(observation, names=settings.names, verified_by=request.verified_by, content=place.content)
    values = zip(_PLACED, _PLACES_OF(place), strict=True)
    return kind, {name: value[:_TEXT_MAX] if value else None for name, value in values}


def record(draft: Draft, member_id: UUID, item: Item, kind: str, fields: dict[str, str | None]) -> None:
    """Note one activity of this lead, or count it without a person where consent was withdrawn."""
    observation = item.observation
    asked = kind in ASKING or observation.direction == "sales"
    if not is_tied_to_person(consent_of_tree(draft, member_id), asked_for_contact=asked):
        draft.result(item).counted += 1
        draft.count_without_person(item, kind)
        return
    draft.result(item).activities += 1
    touch = observation.touch
    verdict = at_first_sight(kind, machine_reason=touch.machine_reason, user_agent=touch.user_agent)
    message_key = draft.hashed.message_key(touch.message) if touch.message else None
    properties = _properties(observation, item.delivery.settings)
    draft.activities.append(PendingActivity(item, member_id, kind, verdict, fields, properties, message_key))
    _enter(draft, member_id, item, kind, fields)
    _keep_text(draft, member_id, item)


def mail_of(activities: Iterable[PendingActivity]) -> list[MailActivity]:
    """Those activities that later ones of the same mail may re-judge."""
    return [
        MailActivity(
            activity_id=one.item.activity_id,
            lead_id=one.member_id,
            message_key=one.message_key,
            kind=one.kind,
            occurred_at=one.item.timed.occurred_at,
            link=link_hash(one.item.observation.touch.link),
            verdict=one.verdict,
        )
        for one in activities
        if one.message_key is not None and one.kind in _MAIL
    ]


def rejudged(known: Iterable[MailActivity], new: Iterable[MailActivity]) -> dict[UUID, Verdict]:
    """The verdicts on all of them, mail by mail and person by person."""
    groups: dict[tuple[str, UUID], list[MailActivity]] = {}
    for one in (*known, *new):
        groups.setdefault((one.message_key, one.lead_id), []).append(one)
    return {activity_id: verdict for group in groups.values() for activity_id, verdict in judged(group).items()}


def activity_events(
    draft: Draft, known: Mapping[UUID, MailActivity], verdicts: Mapping[UUID, Verdict]
) -> Iterator[Event[Payload]]:
    """The recorded activities in the order they came, then the corrections of earlier ones."""
    last: Item | None = None
    for one in draft.activities:
        last = one.item
        yield caused_by_delivery(
            _payload(draft, one, verdicts.get(one.item.activity_id, one.verdict)),
            one.item,
            event_id=one.item.activity_id,
            occurred_at=one.item.timed.occurred_at,
            recorded_at=one.item.delivery.received_at,
        )
    for mail in known.values():
        verdict = verdicts[mail.activity_id]
        if verdict == mail.verdict or last is None or mail.lead_id not in draft.identities.members:
            continue
        yield caused_by_delivery(
            ActivityCorrected(
                activity_id=mail.activity_id,
                lead_id=draft.identities.members[mail.lead_id].root_id,
                member_id=mail.lead_id,
                human=verdict.human,
                human_before=mail.verdict.human,
                human_reason=verdict.reason or None,
            ),
            last,
            event_id=derived_id("activity.corrected", mail.activity_id, verdict.human, verdict.reason),
            occurred_at=mail.occurred_at,
            recorded_at=draft.now,
        )


def _payload(draft: Draft, one: PendingActivity, verdict: Verdict) -> ActivityRecorded:
    item, request = one.item, one.item.delivery.request
    observation, touch = item.observation, item.observation.touch
    return ActivityRecorded(
        activity_id=item.activity_id,
        lead_id=draft.identities.members[one.member_id].root_id,
        member_id=one.member_id,
        kind=_KIND_OF[one.kind],
        name=observation.name[:_TEXT_MAX] if one.kind == "custom" and observation.name else None,
        direction=_DIRECTION_OF[observation.direction] if item.delivery.is_verified else Direction.MARKETING,
        actor_user_id=_actor(item),
        recorded_at=item.delivery.received_at,
        occurred_at=item.timed.occurred_at,
        human=verdict.human,
        human_reason=verdict.reason or None,
        verified_by=request.verified_by,
        source_id=request.source_id,
        sender=request.sender,
        channel=_CHANNEL_OF[channel_of(one.kind)],
        asset=touch.asset[:_TEXT_MAX] if touch.asset else None,
        message_key=one.message_key,
        is_hard=touch.is_hard,
        duration_seconds=touch.duration_seconds if (touch.duration_seconds or 0) >= 0 else None,
        properties=one.properties,
        **one.fields,
    )


def _actor(item: Item) -> UUID | None:
    actor = item.observation.actor_user_id
    if actor is None or not item.delivery.is_verified:
        return None
    try:
        return UUID(actor)
    except ValueError:
        return None


def _properties(observation: Observation, settings: SourceSettings) -> list[Property]:
    """What the source maps as not personal, as short texts."""
    return [
        Property(name=name, value=str(value)[:_TEXT_MAX])
        for name, value in observation.properties.items()
        if name in settings.properties and isinstance(value, str | int | float | bool)
    ]


def _enter(draft: Draft, member_id: UUID, item: Item, kind: str, fields: Mapping[str, str | None]) -> None:
    """Keep what was first (channel, traffic source, page) by the time it happened, whatever the order of arrival."""
    lead, at = draft.leads[member_id], item.timed.occurred_at
    if item.observation.direction == "sales":
        return
    if lead.entered_at is None or at < lead.entered_at:
        settings = item.delivery.settings
        lead.entry_channel = item.observation.entry_channel or settings.entry_channel or channel_of(kind)
        lead.entered_at = at
    has_origin = fields["traffic_source"] is not None or fields["campaign"] is not None
    if has_origin and (lead.first_touch_at is None or at < lead.first_touch_at):
        lead.first_touch_at = at
        lead.traffic_source, lead.medium = fields["traffic_source"], fields["medium"]
        lead.campaign, lead.first_referrer = fields["campaign"], fields["referrer_host"]
    if kind in _PAGES and fields["page_path"] and (lead.first_page_at is None or at < lead.first_page_at):
        lead.first_page_at, lead.first_page = at, fields["page_path"]
    if at - lead.active_at >= _ACTIVE_STEP:
        lead.active_at = at


def _keep_text(draft: Draft, member_id: UUID, item: Item) -> None:
    texts, touch = item.observation.texts, item.observation.touch
    url = touch.url or touch.link
    if not (url or texts.recipient or texts.subject or texts.text or texts.answers):
        return
    draft.texts.append(
        TextRow(
            activity_id=item.activity_id,
            lead_id=member_id,
            occurred_at=item.timed.occurred_at,
            url=url,
            recipient=texts.recipient,
            subject=texts.subject,
            text=texts.text,
            answers=texts.answers,
            user_agent_family=user_agent_family(touch.user_agent),
        )
    )
