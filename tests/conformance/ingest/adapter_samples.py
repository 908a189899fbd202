"""Reads the samples of senders, and writes what an adapter says in the form they are compared in."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from services.ingest.adapters import ADAPTERS
from services.ingest.domain.observation import Parsed
from shared.senders import InboundRequest

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "adapters"


def samples(sender: str) -> Iterator[tuple[str, InboundRequest, dict[str, Any]]]:
    """(case, request, expected) of one sender, by name."""
    for file in sorted((SAMPLES / sender).glob("*.request.json")):
        case = file.name.removesuffix(".request.json")
        expected = json.loads((file.parent / f"{case}.expected.json").read_text())
        yield case, request_of(json.loads(file.read_text())), expected


def request_of(sample: dict[str, Any]) -> InboundRequest:
    body = sample["body"] if isinstance(sample["body"], str) else json.dumps(sample["body"])
    return InboundRequest(
        sample.get("method", "POST"), sample["path"], sample.get("query", ""), sample.get("headers", {}), body.encode()
    )


def shown(parsed: Parsed) -> dict[str, Any]:
    """What an adapter said, without what is empty, and without the fingerprint."""
    return {
        "observations": [_bare({**asdict(one), "fingerprint": None}) for one in parsed.observations],
        "refusals": [_bare(asdict(one)) for one in parsed.refusals],
    }


def _bare(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        found = {key: _bare(one) for key, one in value.items()}
        return {key: one for key, one in found.items() if one not in (None, {}, [])}
    if isinstance(value, list | tuple):
        return [_bare(one) for one in value]
    return value


def senders() -> list[str]:
    return sorted(ADAPTERS)
