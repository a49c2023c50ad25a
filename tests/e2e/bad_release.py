"""A release that passes its smoke tests and breaks under traffic, while somebody asks prod all the time.

python -m tests.e2e.bad_release: tells what the client saw, in a table.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx

from tests.e2e.repository import Repository, Said
from tests.e2e.tiny import CONFIGURATION, SCORING, tiny

ROLLOUT = (
    "{strategy: canary, steps: [20, 100], bake: 3s, mirror: 20,"
    " judge: {errors: 0.05, p95_ms: 2000, changed: 0.2, per_second: 10, min_requests: 15}}"
)
BREAKS = SCORING.replace(
    "def run(raw):",
    "asked = 0\n\n\ndef run(raw):\n    global asked\n    asked += 1\n    assert asked < 60 or asked % 3, 'no room'",
)
"""From its sixtieth answer on every third one fails: after the smoke tests, when it has been mirrored to."""

BODY = json.dumps({"input_data": {"columns": ["x"], "index": [0], "data": [[0.5]]}}).encode()
BETWEEN = 0.02
"""Seconds between two requests of the client's."""


@dataclass(frozen=True)
class Asked:
    """One request of the client's: when, what came back (0: nothing), and who answered."""

    at: float
    status: int
    who: str


@dataclass
class Story:
    """`answers` of the client in order; `moved` are the splits that the bad release made, each with its time."""

    bad: Said | None = None
    answers: list[Asked] = field(default_factory=list)
    moved: list[tuple[float, dict[str, int]]] = field(default_factory=list)

    @property
    def canary(self) -> str:
        """The deployment of the bad release."""
        return next(name for name in self.moved[0][1] if name.startswith("v3-"))

    def failed(self, *, of_canary: bool) -> list[Asked]:
        return [one for one in self.answers if one.status != 200 and (one.who == self.canary) is of_canary]


def project(root: Path) -> Repository:
    """The tiny project, with a watched canary at prod."""
    stage = "endpoint: tiny-prod, smoke: {golden: 3}"
    watched = f"endpoint: tiny-prod, smoke: {{golden: 10}}, rollout: {ROLLOUT}"
    text = CONFIGURATION.replace(stage, watched).replace("deploy: [dev, prod]", "deploy: [prod]")
    return tiny(root, {"ctrain.yaml": text})


def happen(repository: Repository) -> Story:
    """Version 1; version 2 by its canary, well; and version 3, which breaks. A client asks from version 1 on."""
    said = repository.ctrain("run", "--trigger", "main")
    assert said.code == 0, said.err
    story = Story()
    with _client(repository, story.answers):
        repository.edit("ctrain.yaml", "factor: 0.9", "factor: 0.91")
        good = repository.ctrain("run", "--trigger", "main")
        assert good.code == 0, good.err
        (repository.root / "scoring" / "score.py").write_text(BREAKS)
        repository.edit("ctrain.yaml", "factor: 0.91", "factor: 0.92")
        story.bad = repository.ctrain("run", "--trigger", "main")
        time.sleep(1)
    told = repository.ctrain("show", "--json").document["release"]["events"]
    story.moved = [
        (datetime.fromisoformat(event["at"]).timestamp(), event["what"]["traffic"])
        for event in told
        if event["what"]["kind"] == "shifted"
    ]
    return story


@contextmanager
def _client(repository: Repository, answers: list[Asked]) -> Iterator[None]:
    stages = repository.ctrain("status", "--json").document["status"]["stages"]
    url = next(stage["endpoint"]["scoring_url"] for stage in stages if stage["stage"] == "prod")
    key = (repository.root / ".ctrain" / "endpoints" / "tiny-prod" / "key").read_text().strip()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(headers=headers, timeout=10) as http:
            while not stop.wait(BETWEEN):
                try:
                    answer = http.post(url, content=BODY)
                    status, who = answer.status_code, answer.headers.get("azureml-model-deployment", "")
                except httpx.HTTPError:
                    status, who = 0, ""
                answers.append(Asked(time.time(), status, who))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield
    finally:
        stop.set()
        asking.join(15)


def table(story: Story) -> str:
    """What the client got, by the split that the bad release had made, and by who answered."""
    rows = ["| while the traffic was | answered by | requests | failed |", "| --- | --- | --- | --- |"]
    ends = [at for at, _ in story.moved[1:]] + [float("inf")]
    spans = [("as before", 0.0, story.moved[0][0])]
    spans += [(_told(split), at, end) for (at, split), end in zip(story.moved, ends, strict=True)]
    for words, begin, end in spans:
        within = [one for one in story.answers if begin <= one.at < end]
        rows += [f"| {words} | {row}" for row in _counted(within)]
    own, others = story.failed(of_canary=True), story.failed(of_canary=False)
    total = f"{len(story.answers)} requests; {len(own)} failed in the canary's share, {len(others)} elsewhere"
    return "\n".join([*rows, "", total])


def _told(split: dict[str, int]) -> str:
    return ", ".join(f"{name.partition('-')[0]} {percent}%" for name, percent in split.items() if percent)


def _counted(answers: Sequence[Asked]) -> Iterator[str]:
    requests = Counter(one.who.partition("-")[0] or "nobody" for one in answers)
    failed = Counter(one.who.partition("-")[0] or "nobody" for one in answers if one.status != 200)
    for who, count in sorted(requests.items()):
        yield f"{who} | {count} | {failed[who]} |"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        repository = project(Path(folder) / "tiny")
        try:
            story = happen(repository)
        finally:
            repository.down()
    print(table(story))
    return 0 if story.bad and story.bad.code == 6 and not story.failed(of_canary=False) else 1


if __name__ == "__main__":
    sys.exit(main())
