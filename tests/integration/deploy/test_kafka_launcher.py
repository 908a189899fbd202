"""Kafka starts from the locked jars, is ready when it answers, and comes back after a SIGKILL."""

import shutil
import signal
from pathlib import Path

import pytest

from deploy.local.fetching import fetch
from deploy.local.jars import LOCK, jars_folder, missing_jars, read_lock
from deploy.local.kafka import STOP_SIGNAL, Kafka, answers
from deploy.local.missing import Missing
from deploy.local.places import free_ports, scratch_folder
from deploy.local.processes import end


def test_the_broker_answers_when_ready_and_again_after_a_kill() -> None:
    broker = Kafka(scratch_folder("baton-kafka-test-"), *free_ports(2))
    try:
        assert not answers(broker.port)
        broker.prepare()
        running = broker.start()
        assert answers(broker.port)
        end(running, by=signal.SIGKILL, within_seconds=5)
        assert not answers(broker.port)
        broker.prepare()  # formats no second time
        running = broker.start()
        assert answers(broker.port)
        assert end(running, by=STOP_SIGNAL, within_seconds=20)
    finally:
        shutil.rmtree(broker.folder)


def test_every_jar_in_the_cache_has_the_locked_checksum() -> None:
    jars = read_lock(LOCK.read_text())
    fetch(jars, jars_folder(jars))
    assert missing_jars(jars, jars_folder(jars)) == []
    assert len(jars) == 45


def test_a_jar_that_cannot_be_had_is_said_with_the_way_out(tmp_path: Path) -> None:
    absent = tmp_path / "a-file"
    absent.touch()  # a file where the folder should be: nothing can be put there
    with pytest.raises(Missing, match="BATON_KAFKA_BOOTSTRAP_SERVERS"):
        fetch(read_lock(LOCK.read_text())[:1], absent / "libs")
