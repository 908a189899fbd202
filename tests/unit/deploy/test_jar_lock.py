"""The lock of the jars is read strictly: a damaged line is an error, never a jar less."""

import pytest

from deploy.local.jars import LOCK, Jar, kafka_version, read_lock

_DIGEST = "ab" * 32


def test_a_line_is_a_coordinate_and_a_checksum() -> None:
    assert read_lock(f"org.apache.kafka:kafka_2.13:4.4.0 sha256:{_DIGEST}\n\n") == [
        Jar("org.apache.kafka", "kafka_2.13", "4.4.0", _DIGEST)
    ]


@pytest.mark.parametrize(
    "line",
    [
        f"org.apache.kafka:kafka_2.13 sha256:{_DIGEST}",
        f"org.apache.kafka:kafka_2.13:4.4.0 sha1:{_DIGEST}",
        "org.apache.kafka:kafka_2.13:4.4.0 sha256:abcd",
        "org.apache.kafka:kafka_2.13:4.4.0",
    ],
)
def test_a_damaged_line_is_refused_by_its_number(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        read_lock(f"a:b:1 sha256:{_DIGEST}\n{line}\n")


def test_the_shipped_lock_names_the_broker_we_proved() -> None:
    jars = read_lock(LOCK.read_text())
    assert kafka_version(jars) == "4.4.0"
    assert len({jar.file_name for jar in jars}) == len(jars)
