"""Which people come to one account, as deliveries tell it: spellings of one domain are one, free mail is none."""

from tests.integration.ingest.stage import IngestStage, identify


async def test_spellings_of_one_domain_are_one_account_and_free_mail_is_none(stage: IngestStage) -> None:
    for number, email in enumerate(("kim@acme.example", "Lee@ACME.Example", " max@Acme.example", "ann@GMAIL.com")):
        await stage.send(identify(userId=f"u{number}", traits={"email": email}))
    rows = await stage.rows("select account_id, count(*) from lead group by 1 order by 2")
    assert [(row[0] is None, row[1]) for row in rows] == [(True, 1), (False, 3)]
    assert [row[0] for row in await stage.rows("select domain from account")] == ["acme.example"]


async def test_a_declared_name_finds_the_account_of_a_domain_and_makes_none(stage: IngestStage) -> None:
    await stage.send(identify(userId="u1", traits={"email": "ann@gmail.com", "company": {"name": "Acme, Inc."}}))
    assert await stage.rows("select id from account") == []
    await stage.send(identify(userId="u2", traits={"email": "kim@acme.example", "company": {"name": "ACME GmbH"}}))
    await stage.send(identify(userId="u1", traits={"email": "ann@gmail.com", "company": {"name": "acme"}}))
    rows = await stage.rows("select distinct account_id, link_by from lead order by 2")
    assert len({row[0] for row in rows}) == 1
    assert [row[1] for row in rows] == ["company_name", "domain"]
