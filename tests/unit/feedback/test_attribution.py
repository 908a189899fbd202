"""Attribution: who gets credit, by the stated definition of a touchpoint; shares sum to the amount."""

from services.feedback.domain.attribution import MODELS, credits_of, even_shares, touchpoints
from tests.support.builders.feedback import days, hours, touch


def test_case_21_an_ad_click_days_later_never_takes_the_first_touch_from_a_direct_visit() -> None:
    """An empty first source is direct, not unset."""
    points = touchpoints(
        [
            touch("a1", days(0)),
            touch("a1", days(3), traffic_source="ads", campaign="june"),
            touch("a1", hours(72.2), kind="demo_requested"),
        ],
        until=days(10),
    )
    assert [(point.traffic_source, point.campaign) for point in points] == [("direct", ""), ("ads", "june")]
    first = credits_of(9_999, points, "first")
    last = credits_of(9_999, points, "last")
    assert first[0].touchpoint == points[0]
    assert last[0].touchpoint == points[1]
    assert [each.amount_minor for each in credits_of(9_999, points, "linear")] == [5_000, 4_999]
    assert all(sum(each.amount_minor for each in credits_of(9_999, points, model)) == 9_999 for model in MODELS)


def test_pages_of_one_visit_are_one_touchpoint_and_a_return_is_another() -> None:
    points = touchpoints([touch("a", hours(at)) for at in (0, 0.2, 0.6, 5)], until=days(1))
    assert [point.occurred_at for point in points] == [hours(0), hours(5)]


def test_a_new_source_within_half_an_hour_is_a_new_touchpoint() -> None:
    points = touchpoints(
        [touch("a", hours(0), traffic_source="ads"), touch("a", hours(0.1), traffic_source="news")], until=days(1)
    )
    assert [point.traffic_source for point in points] == ["ads", "news"]


def test_what_software_or_sales_does_touches_nobody() -> None:
    told = [
        touch("a", hours(0), human=0.49, kind="email_open", channel="email"),
        touch("a", hours(1), direction="sales", kind="call_connected", channel="call"),
        touch("a", hours(2), kind="email_sent", channel="email"),
        touch("a", days(9)),
    ]
    assert touchpoints(told, until=days(1)) == ()


def test_without_touchpoints_the_amount_stands_unattributed() -> None:
    (credit,) = credits_of(100, (), "linear")
    assert (credit.touchpoint, credit.amount_minor) == (None, 100)


def test_a_referrer_is_a_source_and_mail_is_its_channel() -> None:
    points = touchpoints(
        [
            touch("a", hours(0), referrer_host="news.example"),
            touch("a", hours(5), kind="email_click", channel="email", campaign="spring"),
            touch("a", hours(9), kind="webinar_attended", channel="field_event", asset="w1"),
        ],
        until=days(1),
    )
    assert [point.traffic_source for point in points] == ["news.example", "email", "field_event"]


def test_a_refund_is_shared_like_an_amount() -> None:
    assert even_shares(-10, 3) == (-4, -3, -3)
