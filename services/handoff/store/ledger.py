"""Handoff's part of the conservation ledger: what must add up, asked by id (RELIABILITY 5)."""

from shared.db.ledger import LedgerCheck

__all__ = ["LEDGER"]

_OPEN = "('qualified', 'queued', 'assigned', 'accepted', 'working', 'opportunity')"

LEDGER: tuple[LedgerCheck, ...] = (
    LedgerCheck(
        "handoffs",
        "each handoff was opened in the audit, and its last change is the stored row",
        """
        select h.id::text from handoff h
          left join lateral (select e.state_after, e.token_after, e.seq_after from handoff_event e
                              where e.handoff_id = h.id and e.verdict = 'ok' order by e.id desc limit 1) last on true
         where last.state_after is distinct from h.state or last.token_after is distinct from h.token
            or last.seq_after is distinct from h.seq
        """,
    ),
    LedgerCheck(
        "handoffs",
        "a person and motion have one open cycle at most, and a scope one",
        f"""
        select min(id::text) from handoff where state in {_OPEN} group by root_lead_id, motion having count(*) > 1
        union all
        select min(id::text) from handoff where state in {_OPEN} group by scope_id, motion having count(*) > 1
        """,  # noqa: S608 - our own constant
    ),
    LedgerCheck(
        "handoffs",
        "a closed handoff says how it ended, an open one does not",
        f"select id::text from handoff where (state in {_OPEN}) <> (result is null)",  # noqa: S608 - our own constant
    ),
    LedgerCheck(
        "assignments",
        "an owned handoff has its one current assignment, by its owner and attempt; another has none",
        """
        select h.id::text from handoff h left join assignment a on a.handoff_id = h.id and a.ended_at is null
         where a.rep_id is distinct from h.owner_id or (a.id is not null and a.attempt <> h.attempt)
        """,
    ),
    LedgerCheck(
        "assignments",
        "assignments are as many as attempts",
        """
        select h.id::text from handoff h
         where h.attempt <> (select count(*) from assignment a where a.handoff_id = h.id)
        """,
    ),
    LedgerCheck(
        "assignments",
        "the load of a rep is its handoffs assigned and accepted",
        """
        select r.id::text from rep r
         where r.load <> (select count(*) from handoff h
                           where h.owner_id = r.id and h.state in ('assigned', 'accepted'))
        """,
    ),
    LedgerCheck(
        "clocks",
        "each clock made is there, and ended once or is armed",
        "select h.id::text from handoff h"
        " where h.clocks_made <> (select count(*) from clock c where c.handoff_id = h.id)",
    ),
    LedgerCheck(
        "clocks",
        "an armed clock carries its handoff's token",
        "select c.id::text from clock c join handoff h on h.id = c.handoff_id"
        " where c.state = 'armed' and c.token <> h.token",
    ),
    LedgerCheck(
        "clocks",
        "an open handoff has an armed clock or a recorded breach",
        f"""
        select h.id::text from handoff h
         where h.state in {_OPEN} and h.breached_at_token is distinct from h.token
           and not exists (select from clock c where c.handoff_id = h.id and c.state = 'armed')
        """,  # noqa: S608 - our own constant
    ),
    LedgerCheck(
        "clocks",
        "no clock fired after the act that stopped it",
        # By the order of inputs, which is that of the row's lock: a moment is taken before a lock is waited for.
        """
        select c.id::text from clock c join escalation e on e.clock_id = c.id
         where not exists (
            select from handoff_event f
             where f.handoff_id = c.handoff_id and f.kind = 'Fire' and f.verdict = 'ok' and f.token_seen = c.token
               and (f.input ->> 'number')::int = c.number
               and c.token = (select b.token_after from handoff_event b
                               where b.handoff_id = f.handoff_id and b.id < f.id and b.verdict = 'ok'
                               order by b.id desc limit 1))
        """,
    ),
    LedgerCheck(
        "clocks",
        "escalations are the levels fired, the last one at a breach",
        # An act that came after the due instant, and before the clock could fire, breaches without the last rung.
        """
        select c.id::text from clock c
          left join lateral (select max(e.level) as level, coalesce(bool_or(e.is_last), false) as has_last
                               from escalation e where e.clock_id = c.id) fired on true
         where c.level <> coalesce(fired.level, c.level_at_arm)
            or (fired.has_last and c.state <> 'breached' and not c.is_late_evidence)
            or (c.state = 'breached' and not fired.has_last and not exists (
                  select from handoff_event f
                   where f.handoff_id = c.handoff_id and f.kind <> 'Fire' and f.verdict = 'ok'
                     and f.effects @> jsonb_build_array(jsonb_build_object(
                           'effect', 'ClockEnded', 'state', 'breached', 'clock',
                           jsonb_build_object('number', c.number)))))
        """,
    ),
)
