"""Reads the samples of senders, and writes what an adapter says in the form they are compared in.

`python -m tests.conformance.ingest.adapter_samples SENDER` writes the expectations that are missing; read each of them
before it is kept: they say what the adapter does, not what it should do.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from services.ingest.adapters import ADAPTERS
from services.ingest.domain.observation import Parsed
from services.ingest.domain.source import SourceSettings, settings_of
from shared.senders import InboundRequest

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "adapters"


class Sample(NamedTuple):
    """One case of a sender: its request, the settings of its source, and what the adapter must say."""

    case: str
    request: InboundRequest
    settings: SourceSettings
    expected: dict[str, Any]


def samples(sender: str) -> Iterator[Sample]:
    """The samples of one sender, by name; of a file with several `bodies` one for each."""
    for file in _requests(sender):
        case = file.name.removesuffix(".request.json")
        sample = json.loads(file.read_text())
        expected = json.loads(_expected_file(file).read_text())
        settings = settings_of(sample.get("settings", {}))
        if "bodies" not in sample:
            yield Sample(case, request_of(sample), settings, expected)
            continue
        for at, (body, said) in enumerate(zip(sample["bodies"], expected["each"], strict=True)):
            yield Sample(f"{case}[{at}]", request_of({**sample, "body": body}), settings, said)


def request_of(sample: dict[str, Any]) -> InboundRequest:
    body = sample.get("body", "")
    text = body if isinstance(body, str) else json.dumps(body)
    return InboundRequest(
        sample.get("method", "POST"),
        sample["path"],
        sample.get("query", ""),
        sample.get("headers", {}),
        text.encode(),
        sample.get("url", ""),
    )


def shown(parsed: Parsed) -> dict[str, Any]:
    """What an adapter said, without what is empty, and without the fingerprint."""
    return {
        "observations": [_bare({**asdict(one), "fingerprint": None}) for one in parsed.observations],
        "refusals": [_bare(asdict(one)) for one in parsed.refusals],
    }


def senders() -> list[str]:
    return sorted(ADAPTERS)


def write_missing(sender: str) -> None:
    """Write what the adapter says now beside each request that has no expectation yet."""
    for file in _requests(sender):
        if _expected_file(file).exists():
            continue
        sample = json.loads(file.read_text())
        settings = settings_of(sample.get("settings", {}))
        bodies = sample["bodies"] if "bodies" in sample else [sample.get("body", "")]
        said = [shown(ADAPTERS[sender].parse(request_of({**sample, "body": body}), settings)) for body in bodies]
        text = json.dumps({"each": said} if "bodies" in sample else said[0], default=str, ensure_ascii=False, indent=1)
        _expected_file(file).write_text(text + "\n")


def _requests(sender: str) -> list[Path]:
    return sorted((SAMPLES / sender).glob("*.request.json"))


def _expected_file(request: Path) -> Path:
    return request.with_name(request.name.replace(".request.json", ".expected.json"))


def _bare(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        found = {key: _bare(one) for key, one in value.items()}
        return {key: one for key, one in found.items() if one not in (None, {}, [])}
    if isinstance(value, list | tuple):
        return [_bare(one) for one in value]
    return value


if __name__ == "__main__":
    for named in sys.argv[1:]:
        write_missing(named)
