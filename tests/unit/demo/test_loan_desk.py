"""Which event of the loan desk's log means what."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

from deploy.demo.desk_stack import speed_figures
from deploy.demo.loan_desk import FILE, Meaning, acts_of, by_weeks, cloud_event, read_log
from tests.support.material import material

WORK = "W_Completeren aanvraag"


def event(name: str, transition: str, at: str, resource: str = "10") -> dict[str, str]:
    return {"concept:name": name, "lifecycle:transition": transition, "time:timestamp": at, "org:resource": resource}


CASE = [
    event("A_SUBMITTED", "COMPLETE", "2011-10-01T23:50:00.000+02:00", "112"),
    event(WORK, "SCHEDULE", "2011-10-02T00:10:00.000+02:00"),
    event(WORK, "START", "2011-10-02T11:00:00.000+02:00", "11"),
    event(WORK, "START", "2011-10-02T12:00:00.000+02:00", "12"),
    event("A_ACTIVATED", "COMPLETE", "2011-10-05T12:00:00.000+02:00"),
]


def test_only_the_first_start_of_the_work_is_the_first_touch() -> None:
    meanings = [act.meaning for act in acts_of("1", CASE)]
    assert meanings == [Meaning.NOTED, Meaning.ASKED, Meaning.TOUCHED, Meaning.NOTED, Meaning.NOTED]


def test_times_are_utc_and_acts_are_in_order_whatever_the_log_says() -> None:
    acts = acts_of("1", reversed(CASE))
    assert acts == sorted(acts, key=lambda act: act.at)
    assert acts[0].at == datetime(2011, 10, 1, 21, 50, tzinfo=UTC)


def test_an_activated_case_is_won_and_nothing_else_ends_it() -> None:
    assert [act.result for act in acts_of("1", CASE)] == [None, None, None, None, "won"]


def test_weeks_are_whole_and_in_order() -> None:
    weeks = by_weeks([acts_of("1", CASE)])  # from Saturday night to Wednesday
    assert [(end.isoformat(), len(acts)) for end, acts in weeks] == [
        ("2011-10-03T00:00:00+00:00", 4),
        ("2011-10-10T00:00:00+00:00", 1),
    ]


def test_a_touch_names_who_did_it_and_an_ask_does_not() -> None:
    asked, touched = (cloud_event(act, actor_user_id="u") for act in acts_of("1", CASE)[1:3])
    assert asked["type"] == "baton.meeting_requested"
    assert "actor_user_id" not in asked["data"]
    assert (touched["type"], touched["data"]["direction"], touched["data"]["actor_user_id"]) == (
        "baton.call_connected",
        "sales",
        "u",
    )
    assert touched["time"] == "2011-10-02T09:00:00+00:00"


def test_a_log_file_is_read_case_by_case(tmp_path: Path) -> None:
    attributes = "".join(f'<string key="{key}" value="{value}"/>' for key, value in CASE[0].items())
    text = f'<log><trace><string key="concept:name" value="7"/><event>{attributes}</event></trace></log>'
    file = tmp_path / "log.xes.gz"
    file.write_bytes(gzip.compress(text.encode()))
    assert [[act.case for act in acts] for acts in read_log(file)] == [["7"]]


def test_the_public_log_holds_what_its_publishers_say() -> None:
    found = material(f"data/{FILE}")
    if found is None:
        return
    cases = list(read_log(found))
    hours = []
    for acts in cases:
        moments = {act.meaning: act.at for act in acts if act.meaning is not Meaning.NOTED}
        if len(moments) == 2:
            hours.append((moments[Meaning.TOUCHED] - moments[Meaning.ASKED]).total_seconds() / 3600)
    assert (len(cases), sum(map(len, cases)), len(hours)) == (13_087, 262_200, 7_366)
    assert speed_figures(hours) == {
        "n": 7_366,
        "median_hours": 1.76,
        "p90_hours": 17.3,
        "share_over_4h": 0.348,
        "share_over_24h": 0.041,
    }
