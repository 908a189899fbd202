"""Every scheme by one suite: its time, its forgeries, its published vectors (SENDERS 3.5 and 11, SECURITY 3)."""

import json

import pytest

from services.ingest.adapters import ADAPTERS
from tests.conformance.ingest.forgeries import forgeries
from tests.conformance.ingest.signing import NOW, SIGNINGS, Signing
from tests.support.material import material

FORGERIES_MIN = 200
SCHEMES = [pytest.param(signing, id=name) for name, signing in SIGNINGS.items()]


def test_every_sender_that_signs_or_shows_a_secret_is_tried() -> None:
    assert {name for name, one in ADAPTERS.items() if one.PROOF in {"signature", "shared_secret"}} <= set(SIGNINGS)


@pytest.mark.parametrize("signing", SCHEMES)
def test_a_signed_time_is_good_for_its_tolerance_past_and_future_and_no_longer(signing: Signing) -> None:
    request = signing.signed()
    assert ADAPTERS[signing.sender].verify(request, signing.secret, NOW)
    if signing.tolerance_seconds is None:
        return
    for away in (signing.tolerance_seconds, -signing.tolerance_seconds):
        nearer, farther = (away - 1, away + 1) if away > 0 else (away + 1, away - 1)
        assert ADAPTERS[signing.sender].verify(request, signing.secret, NOW + nearer)
        assert not ADAPTERS[signing.sender].verify(request, signing.secret, NOW + farther)


@pytest.mark.parametrize("signing", SCHEMES)
def test_no_forged_request_is_accepted_and_none_raises(signing: Signing) -> None:
    verify, right = ADAPTERS[signing.sender].verify, signing.signed()
    forged = [one for one in forgeries(signing, right) if one != right]
    assert len(forged) >= FORGERIES_MIN
    assert [one for one in forged if verify(one, signing.secret, NOW)] == []


@pytest.mark.parametrize("signing", SCHEMES)
def test_no_other_secret_is_accepted_and_none_raises(signing: Signing) -> None:
    verify, right = ADAPTERS[signing.sender].verify, signing.signed()
    for other in signing.other_secrets(signing.secret):
        assert not verify(right, other, NOW), other


@pytest.mark.parametrize("signing", SCHEMES)
def test_the_published_vectors_give_the_stated_verdicts(signing: Signing) -> None:
    file = material(signing.vectors)
    if file is None:
        return
    for vector in json.loads(file.read_text()).get("vectors", []):
        judged = signing.of_vector(vector)
        if judged is not None:
            assert signing.verdict(*judged) is vector["valid"], vector["name"]
