"""How a person is named on the command line."""

import pytest

from deploy.cli.exits import WrongUse
from deploy.cli.privacy import person_of

NOBODY = {"email": "", "user_id": "", "phone": "", "anonymous_id": "", "external": "", "lead_id": ""}


def test_a_person_is_named_by_any_identifier() -> None:
    named = {**NOBODY, "email": "kim@acme.example", "external": "crm:00:3"}
    assert person_of(**named) == {"email": "kim@acme.example", "external": {"system": "crm", "id": "00:3"}}


@pytest.mark.parametrize("named", [{}, {"external": "crm"}, {"external": ":7"}, {"external": "crm:"}])
def test_nobody_and_half_an_id_are_wrong_use(named: dict[str, str]) -> None:
    with pytest.raises(WrongUse):
        person_of(**{**NOBODY, **named})
