"""Marketo: webhooks of smart campaigns, and activities as its API lists them.

Source: Marketo's public documentation of webhooks and of the activities API. The body of a webhook is a template: what
it means is said on the source (option `kind`), since a step of a campaign can mean anything. Times have no zone and are
read in the zone of the source; an empty text is a missing value. Activities (`result: […]`) mean what their type says.
"""

from collections.abc import Mapping

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.activity import CHANNELS
from services.ingest.domain.fields import company_of, fingerprint_of, mapping_of, profile_of, text_of, zoned_moment
from services.ingest.domain.forms import touch_in
from services.ingest.domain.observation import Observation, Operation, Parsed, Person, Touch
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_same

SENDER: str = "marketo"
TITLE: str = "Adobe Marketo Engage"
SETUP: tuple[str, ...] = (
    "In Marketo: Admin, Webhooks, New Webhook; URL {url}, request type POST, encoding JSON.",
    "Custom header: `Authorization` with the value `Bearer SECRET`, SECRET long and random; give Baton the SECRET.",
    (
        "Template: an object with name, datetime, campaign {id, name}, company {name, industry, country} and"
        " lead {id, email, first_name, last_name, job_title, phone, country}."
    ),
    "On the source set the option `kind` (what the step means, like form_submit) and the zone of your instance.",
)
PROOF: Proof = "shared_secret"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {
    "1": "page_view",
    "2": "form_submit",
    "6": "email_sent",
    "7": "email_delivered",
    "8": "email_bounce",
    "9": "email_unsubscribe",
    "10": "email_open",
    "11": "email_click",
}
"""Types of activities by their number there."""
STATUSES: tuple[str, ...] = ()
_PAGE, _CLICK = "1", "11"


def hint(request: InboundRequest) -> str | None:
    """The lead's address, of a webhook."""
    try:
        body = _body(request)
    except Unreadable:
        return None
    return _email(mapping_of(body.get("lead")))


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the scheme has no time
    """`Authorization: Bearer` and the secret, exactly."""
    return bool(secret) and is_same(request.headers.get("authorization", ""), f"Bearer {secret}")


def outline(request: InboundRequest) -> Outline:
    """One event of a webhook; of a list as many as it holds."""
    listed = _body(request).get("result")
    return Outline(len(listed) if isinstance(listed, list) else 1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:
    """The event of a webhook, or the listed activities."""
    body = _body(request)
    listed = body.get("result")
    if isinstance(listed, list):
        return Parsed(tuple(_listed(mapping_of(one), settings, index) for index, one in enumerate(listed)))
    lead, company, campaign = (mapping_of(body.get(name)) for name in ("lead", "company", "campaign"))
    own = text_of(lead.get("id")) or text_of(body.get("leadId"))
    kind = settings.options.get("kind")
    found = Observation(
        operation=Operation.ACTIVITY,
        event_id=text_of(body.get("marketoGUID")),
        kind=kind if kind in CHANNELS else None,
        name=text_of(body.get("name")),
        person=Person(email=_email(lead), phone=text_of(lead.get("phone")), external=(SENDER, own) if own else None),
        timestamp=zoned_moment(body.get("datetime"), settings.time_zone),
        traits=profile_of({**lead, **_full_name(lead), "company": company}),
        company=company_of({"company": _company(company)}),
        touch=_touch(lead, campaign),
        fingerprint=fingerprint_of(request.body),
    )
    return Parsed((found,))


def _body(request: InboundRequest) -> Mapping[str, object]:
    return bodies.read_event(bodies.utf8(request.body))


def _email(lead: Mapping[str, object]) -> str | None:
    return text_of(lead.get("email")) or text_of(lead.get("email_address"))


def _full_name(lead: Mapping[str, object]) -> dict[str, object]:
    return {"name": lead["full_name"]} if text_of(lead.get("full_name")) else {}


def _company(company: Mapping[str, object]) -> dict[str, object]:
    return {**company, "employees": company.get("num_employees")}


def _touch(lead: Mapping[str, object], campaign: Mapping[str, object]) -> Touch:
    """Where the lead came from when the template says it; the campaign is the smart campaign's unless UTM says one."""
    said = touch_in(lead)
    return Touch(
        traffic_source=said.traffic_source,
        medium=said.medium,
        campaign=said.campaign or text_of(campaign.get("name")),
    )


def _listed(activity: Mapping[str, object], settings: SourceSettings, index: int) -> Observation:
    """One activity as the API lists it: the lead by its id there, details by name."""
    number = text_of(activity.get("activityTypeId")) or ""
    kind = KINDS.get(number)
    details = _details(activity)
    page = text_of(details.get("Webpage URL"))
    message = text_of(details.get("Mailing ID")) or text_of(activity.get("primaryAttributeValueId"))
    lead_id = text_of(activity.get("leadId"))
    return Observation(
        operation=Operation.STATUS if kind is None else Operation.ACTIVITY,
        event_id=text_of(activity.get("marketoGUID")) or text_of(activity.get("id")),
        kind=kind,
        name=number or None,
        person=Person(external=(SENDER, lead_id) if lead_id else None),
        timestamp=zoned_moment(activity.get("activityDate"), settings.time_zone),
        touch=Touch(
            url=page if number == _PAGE else None,
            referrer=text_of(details.get("Referrer URL")),
            asset=text_of(activity.get("primaryAttributeValue")),
            link=text_of(details.get("Link")) if number == _CLICK else None,
            message=message if kind is not None and kind.startswith("email_") else None,
            user_agent=text_of(details.get("User Agent")),
            is_hard=text_of(details.get("Category")) in {"1", "2"} if kind == "email_bounce" else None,
        ),
        index=index,
        fingerprint=fingerprint_of(repr(sorted(activity.items())).encode(errors="replace")),
    )


def _details(activity: Mapping[str, object]) -> dict[str, object]:
    rows = activity.get("attributes")
    listed = [mapping_of(one) for one in rows] if isinstance(rows, list) else []
    return {name: row.get("value") for row in listed if (name := text_of(row.get("name")))}
