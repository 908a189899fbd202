"""What was already handled: ids of activities per span of memory, and mail activities that may be judged again."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.ingest.domain.machine import MailActivity, Verdict
from services.ingest.store.identity import CLAIM, CLAIM_COLUMNS, KeyPair, KeyRow, claim_of, key_rows
from services.ingest.store.statements import Pending, by_columns, change_by_columns
from shared.db.engine import ReadTx, Tx

__all__ = ["SPANS", "Remembered", "forget", "mail_activities", "new_mail", "remember", "remember_and_claim"]

SPANS: Final[Mapping[str, int]] = {"server": 35, "browser": 4, "import": 761}
"""Days an id is remembered, by what delivered it (SENDERS 3.2)."""


class Remembered(NamedTuple):
    """Ids that are new and remembered from now on; known ids that came with another body."""

    new: frozenset[UUID]
    reused: frozenset[UUID]


_FORGET_MAX: Final = 5_000  # rows of one delete: a longer one would hold the table's rows too long

_SEEN = """
    insert into activity_seen_{span} (activity_id, fingerprint, seen_at)
    select activity_id, fingerprint, now()
      from unnest(:ids, :fingerprints) as row (activity_id, fingerprint) order by 1
    on conflict do nothing returning activity_id
"""
_REMEMBER = {span: by_columns(_SEEN.format(span=span), ids="uuid", fingerprints="bigint") for span in SPANS}
# Ids first, then keys: all batches wait for each other in this order.
_REMEMBER_AND_CLAIM = {
    span: by_columns(
        f"""
        with seen as ({_SEEN.format(span=span)}), claimed as ({CLAIM})
        select activity_id, null as kind, cast(null as bytea) as value_hmac, cast(null as uuid) as lead_id,
               false as is_new
          from seen
        union all
        select null, kind, value_hmac, lead_id, is_new from claimed
        """,  # noqa: S608 - our own texts
        ids="uuid",
        fingerprints="bigint",
        **CLAIM_COLUMNS,
    )
    for span in SPANS
}
_KNOWN = {
    span: by_columns(
        f"select activity_id, fingerprint from activity_seen_{span} where activity_id = any(:ids)",  # noqa: S608
        ids="uuid",
    )
    for span in SPANS
}
_MAIL = by_columns("select * from mail_activity where message_key = any(:message_keys)", message_keys="text")
_SAVE_MAIL = change_by_columns(
    "mail",
    """
    insert into mail_activity (activity_id, message_key, member_id, kind, link, human, reason, occurred_at)
    select * from unnest(:activity_ids, :message_keys, :member_ids, :kinds, :links, :humans, :reasons, :occurred)
    on conflict (activity_id) do update set human = excluded.human, reason = excluded.reason
    """,
    activity_ids="uuid",
    message_keys="text",
    member_ids="uuid",
    kinds="text",
    links="text",
    humans="float",
    reasons="text",
    occurred="time",
)


async def remember(tx: Tx, span: str, fingerprints: Mapping[UUID, int]) -> Remembered:
    """Remember the ids that are new."""
    rows = await tx.execute(_REMEMBER[span], {"ids": list(fingerprints), "fingerprints": list(fingerprints.values())})
    return await _remembered(tx, span, fingerprints, frozenset(rows.scalars()))


async def remember_and_claim(
    tx: Tx, span: str, fingerprints: Mapping[UUID, int], proposals: Mapping[KeyPair, UUID]
) -> tuple[Remembered, dict[KeyPair, KeyRow]]:
    """Remember the ids that are new; make the unknown keys with their proposed lead, lock the known ones."""
    asked = {"ids": list(fingerprints), "fingerprints": list(fingerprints.values()), **claim_of(proposals, tx.now)}
    rows: Sequence[Any] = (await tx.execute(_REMEMBER_AND_CLAIM[span], asked)).all()
    new = frozenset(row[0] for row in rows if row[0] is not None)
    keys = key_rows(row[1:] for row in rows if row[0] is None)
    return await _remembered(tx, span, fingerprints, new), keys


async def _remembered(tx: Tx, span: str, fingerprints: Mapping[UUID, int], new: frozenset[UUID]) -> Remembered:
    repeated = [one for one in fingerprints if one not in new]
    if not repeated:
        return Remembered(new, frozenset())
    known = await tx.execute(_KNOWN[span], {"ids": repeated})
    reused = frozenset(row.activity_id for row in known if row.fingerprint != fingerprints[row.activity_id])
    return Remembered(new, reused)


async def forget(tx: Tx) -> None:
    """Delete ids past their span in small slices, and mail activities as old as the longest memory of webhooks."""
    for span, days in SPANS.items():
        await tx.execute(
            f"""
            delete from activity_seen_{span} where activity_id in (
                select activity_id from activity_seen_{span}
                 where seen_at < now() - make_interval(days => :days) limit :most)
            """,  # noqa: S608 - the span is of a closed set
            {"days": days, "most": _FORGET_MAX},
        )
    await tx.execute(
        """
        delete from mail_activity where activity_id in (
            select activity_id from mail_activity where occurred_at < baton_now() - make_interval(days => :days)
             limit :most)
        """,
        {"days": SPANS["server"], "most": _FORGET_MAX},
    )


async def mail_activities(tx: ReadTx, message_keys: Collection[str]) -> list[MailActivity]:
    """What is known of these mails."""
    rows = await tx.execute(_MAIL, {"message_keys": list(message_keys)})
    return [
        MailActivity(
            activity_id=row.activity_id,
            lead_id=row.member_id,
            message_key=row.message_key,
            kind=row.kind,
            occurred_at=row.occurred_at,
            link=row.link,
            verdict=Verdict(round(row.human, 3), row.reason),
        )
        for row in rows
    ]


def new_mail(activities: Sequence[MailActivity]) -> Pending | None:
    """Keep new mail activities, and new verdicts on known ones."""
    if not activities:
        return None
    return _SAVE_MAIL, {
        "activity_ids": [one.activity_id for one in activities],
        "message_keys": [one.message_key for one in activities],
        "member_ids": [one.lead_id for one in activities],
        "kinds": [one.kind for one in activities],
        "links": [one.link for one in activities],
        "humans": [one.verdict.human for one in activities],
        "reasons": [one.verdict.reason for one in activities],
        "occurred": [one.occurred_at for one in activities],
    }
