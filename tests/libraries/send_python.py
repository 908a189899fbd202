"""Sends people with one unmodified Python client library: `python -m tests.libraries.send_python NAME URL KEY PEOPLE`.

Each person identifies, looks at the pricing page and asks for a demo. Prints what the library itself called an error.
"""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

PAGE = "https://www.example.test/pricing?utm_source=newsletter"
TRIES = 10


def people(name: str, number: int) -> Iterator[tuple[str, str]]:
    """(user id, e-mail) of each person of one library."""
    return ((f"{name}-{index}", f"person{index}@{name.replace('_', '-')}.example") for index in range(number))


def send_segment(url: str, key: str, number: int) -> list[str]:
    errors: list[str] = []
    library = importlib.import_module("segment.analytics.client")
    client = library.Client(key, host=url, on_error=lambda error, _: errors.append(str(error)), max_retries=TRIES)
    _call(client, "segment_python", number)
    client.flush()
    client.join()
    return errors


def send_rudder(url: str, key: str, number: int) -> list[str]:
    errors: list[str] = []
    library = importlib.import_module("rudderstack.analytics.client")
    client = library.Client(key, host=url, on_error=lambda error, _: errors.append(str(error)), max_retries=TRIES)
    _call(client, "rudder_python", number)
    client.flush()
    client.join()
    return errors


def _call(client: Any, name: str, number: int) -> None:  # noqa: ANN401 - a client of a library without types
    for user, email in people(name, number):
        client.identify(user, {"email": email})
        client.page(user, "Site", "Pricing", {"url": PAGE})
        client.track(user, "Demo Requested", {"plan": "gold"})


def send_posthog(url: str, key: str, number: int) -> list[str]:
    errors: list[str] = []
    library = importlib.import_module("posthog")
    client = library.Posthog(
        key, host=url, flush_at=50, max_retries=TRIES, on_error=lambda error, _: errors.append(str(error))
    )
    for user, email in people("posthog_python", number):
        client.set(distinct_id=user, properties={"email": email})
        client.capture(distinct_id=user, event="$pageview", properties={"$current_url": PAGE})
        client.capture(distinct_id=user, event="Demo Requested", properties={"plan": "gold"})
    client.flush()
    client.shutdown()
    return errors


def send_snowplow(url: str, key: str, number: int) -> list[str]:
    errors: list[str] = []
    library = importlib.import_module("snowplow_tracker")
    address = urlsplit(url)
    emitter = library.Emitter(
        address.hostname,
        protocol="http",
        port=address.port,
        method="post",
        batch_size=25,
        on_failure=lambda _, unsent: errors.append(f"{len(unsent)} unsent"),
    )
    tracker = library.Tracker(namespace="t", emitters=emitter, app_id=key)
    form = "iglu:com.snowplowanalytics.snowplow/submit_form/jsonschema/1-0-0"
    for user, email in people("snowplow_python", number):
        subject = library.Subject().set_user_id(user)
        answers = {"formId": "newsletter", "elements": [{"name": "email", "value": email, "nodeName": "INPUT"}]}
        asked = library.SelfDescribingJson("iglu:com.example/demo_requested/jsonschema/1-0-0", {"plan": "gold"})
        tracker.track(library.SelfDescribing(library.SelfDescribingJson(form, answers), event_subject=subject))
        tracker.track(library.PageView(page_url=PAGE, page_title="Pricing", event_subject=subject))
        tracker.track(library.SelfDescribing(asked, event_subject=subject))
    tracker.flush()
    return errors


SENDERS: dict[str, Callable[[str, str, int], list[str]]] = {
    "segment": send_segment,
    "rudder": send_rudder,
    "posthog": send_posthog,
    "snowplow": send_snowplow,
}

if __name__ == "__main__":
    print(json.dumps({"errors": SENDERS[sys.argv[1]](sys.argv[2], sys.argv[3], int(sys.argv[4]))}))  # noqa: T201
