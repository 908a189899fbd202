"""Unbounce landing pages: forms posted by webhook.

Source: Unbounce's public documentation of its webhook. What people filled in is JSON inside one field (called
data.json), each answer a list. There is no id: a form sent again is known by its time and content.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from services.ingest.adapters import Outline
from services.ingest.adapters.families import quiet
from services.ingest.domain import body as bodies
from services.ingest.domain.fields import fingerprint_of, mapping_of, moment_of, text_of
from services.ingest.domain.form_body import pairs_of
from services.ingest.domain.forms import company_in, message_in, person_in, touch_in, traits_in
from services.ingest.domain.observation import Observation, Operation, Parsed, Texts
from services.ingest.domain.source import SourceSettings
from shared.errors import Unreadable
from shared.senders import InboundRequest, Proof, Reply, is_same

SENDER: str = "unbounce"
TITLE: str = "Unbounce"
SETUP: tuple[str, ...] = (
    "In Unbounce: the page, Integrations, Webhooks, Add; paste {url}.",
    "Add a header `Authorization` with the value `Bearer SECRET`, SECRET being long and random; give Baton the SECRET.",
    "Add utm_source, utm_medium and utm_campaign as hidden fields of the form.",
)
PROOF: Proof = "shared_secret"
REPLY: Reply = Reply()
KEPT_HEADERS: tuple[str, ...] = ("content-type",)
KINDS: Mapping[str, str] = {"form_post": "form_submit"}
STATUSES: tuple[str, ...] = ()
_FILLED_IN: Final = "data.json"
_NO_ANSWERS: Final = frozenset(
    {"ip_address", "page_uuid", "page_name", "page_url", "variant", "time_submitted", "date_submitted"}
)
_TIME: Final = re.compile(r"(1[0-2]|0?[1-9]):([0-5][0-9])\s*([AP])M(?:\s+UTC)?")
_NOON: Final = 12


def hint(request: InboundRequest) -> str | None:
    """The address in the form."""
    try:
        return person_in(_answers(_form(request))).email
    except Unreadable:
        return None


handshake = quiet.handshake


def verify(request: InboundRequest, secret: str, now: float) -> bool:  # noqa: ARG001 - the scheme has no time
    """`Authorization: Bearer` and the secret, exactly."""
    return bool(secret) and is_same(request.headers.get("authorization", ""), f"Bearer {secret}")


def outline(request: InboundRequest) -> Outline:
    """One form."""
    _form(request)
    return Outline(1)


def parse(request: InboundRequest, settings: SourceSettings) -> Parsed:  # noqa: ARG001 - the protocol's form
    """One form."""
    form = _form(request)
    answers = _answers(form)
    found = Observation(
        operation=Operation.ACTIVITY,
        kind=KINDS["form_post"],
        name="form_post",
        person=person_in(answers),
        timestamp=_submitted(mapping_of(form[_FILLED_IN])),
        traits=traits_in(answers),
        company=company_in(answers),
        touch=touch_in(answers, url=_any(form, "page_url", "pageUrl"), asset=_any(form, "page_name", "pageName")),
        texts=Texts(text=message_in(answers), answers=answers),
        fingerprint=fingerprint_of(request.body),
    )
    return Parsed((found,))


def _form(request: InboundRequest) -> dict[str, object]:
    """The fields, with what was filled in as an object. Raises Unreadable when that is missing."""
    body = bodies.utf8(request.body)
    if body.lstrip().startswith(b"{"):
        form = dict(bodies.read_event(body))
    else:
        form = dict(pairs_of(body, request.headers.get("content-type", "")))
    filled = form.get(_FILLED_IN)
    form[_FILLED_IN] = bodies.read_event(filled.encode(errors="replace")) if isinstance(filled, str) else filled
    if not isinstance(form[_FILLED_IN], dict):
        raise Unreadable("The form has no field data.json.", slug="not_a_form")
    return form


def _answers(form: Mapping[str, object]) -> dict[str, object]:
    """What was filled in: one answer as it is, several as a list."""
    filled = mapping_of(form[_FILLED_IN])
    kept = {name: value for name, value in filled.items() if name not in _NO_ANSWERS}
    return {name: value[0] if isinstance(value, list) and len(value) == 1 else value for name, value in kept.items()}


def _any(form: Mapping[str, object], *names: str) -> str | None:
    return next((text for name in names if (text := text_of(form.get(name)))), None)


def _submitted(filled: Mapping[str, object]) -> datetime | None:
    """The minute it was sent, in UTC: date and time stand apart there."""
    day, time = (_first(filled.get(name)) for name in ("date_submitted", "time_submitted"))
    clock = _TIME.fullmatch(time)
    if clock is None:
        return None
    hour = int(clock[1]) % _NOON + (_NOON if clock[3] == "P" else 0)
    return moment_of(f"{day}T{hour:02}:{clock[2]}:00+00:00")


def _first(value: object) -> str:
    single = value[0] if isinstance(value, list) and value else value
    return text_of(single) or ""
