"""Ask a deployment, by name or through the endpoint, and judge what comes back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle
from threading import Event

from ctrain.errors import NoAnswer, PlatformUnavailable
from ctrain.flow.journal import Asking, Journal
from ctrain.flow.judge import golden_of
from ctrain.ports import Backend
from ctrain.rollout import Stage
from ctrain.serving import Answer, Request
from ctrain.smoke import Case, Golden, Load, cases, judge, judge_latency, one_by_one
from ctrain.verdict import Finding, Outcome, Verdict

DOUBTS = 5
"""So many looks in a row must find it unwell: a platform may tell of what was, and that is no reason to give it up."""

POLL_SECONDS = 0.1
"""Between two of those looks."""

TIMED_OUT = 408
"""What an Azure endpoint answers where the model takes longer than the deployment's `request_timeout_ms`."""


def smoke_test(release: str, stage: Stage, deployment: str, journal: Journal, *, live: bool) -> Verdict:
    """The verdict over all questions; `live` asks as a user would, through the traffic split."""
    at, settings = journal.at, stage.smoke
    golden = _golden(release, settings.golden, journal)
    findings = [_alive(at, stage, deployment)]
    singles: list[Finding] = []
    seconds: list[float] = []
    how = "through the endpoint" if live else "by name, at 0% traffic"
    journal.tell(Asking(stage.name, deployment))
    for case in cases(golden):
        journal.beat()
        finding, answer = _ask(at, stage, case, deployment, named=not live)
        if answer is None or answer.status == TIMED_OUT:
            # Each further question would wait as long, and the verdict is made.
            return Verdict((*findings, *one_by_one(singles), finding), notes=(how, "it was asked no more"))
        if case.kind == "row":
            singles.append(finding)
            seconds.append(answer.seconds)
        else:
            findings.append(finding)
    findings += one_by_one(singles)
    if settings.p95_ms is not None:
        findings.append(judge_latency("latency of single rows", seconds, 0, settings.p95_ms))
    if settings.load is not None and golden is not None and not live:
        findings.append(_load(journal, stage, golden, deployment, settings.load))
    return Verdict(tuple(findings), notes=(how,))


def _golden(release: str, wanted: int, journal: Journal) -> Golden | None:
    """The first of the rows that the gate kept. Raises PlatformUnavailable where those are gone: what is proven with
    less than was asked for is not proven."""
    if wanted == 0:
        return None
    golden = golden_of(release, journal)
    if golden is None:
        raise PlatformUnavailable(
            f"the smoke tests of {release} cannot be made",
            why="the golden rows that its gate kept are not in the ledger",
            hint="run the same command again; if they stay away, train again with `ctrain run --fresh`",
        )
    return replace(golden, rows=golden.rows[:wanted], scores=golden.scores[:wanted])


def _alive(at: Backend, stage: Stage, deployment: str) -> Finding:
    for _ in range(DOUBTS - 1):
        finding = _well(at, stage, deployment)
        if finding.outcome is Outcome.PASS:
            return finding
        at.clock.sleep(POLL_SECONDS)
    return _well(at, stage, deployment)


def _well(at: Backend, stage: Stage, deployment: str) -> Finding:
    seen = at.serving(stage).look(stage.endpoint)
    target = seen.deployments.get(deployment) if seen else None
    if target is not None and target.healthy:
        return Finding("alive and ready", Outcome.PASS, "its probes answer")
    if seen is not None and not seen.running:
        return Finding("alive and ready", Outcome.FAIL, "its endpoint is down")
    state = "absent" if target is None else f"{target.state}, not ready" if not target.ready else target.state
    return Finding("alive and ready", Outcome.FAIL, f"its state is {state}")


def _ask(at: Backend, stage: Stage, case: Case, deployment: str, *, named: bool) -> tuple[Finding, Answer | None]:
    try:
        answer = at.serving(stage).score(stage.endpoint, Request(case.body, deployment if named else None))
    except NoAnswer as failure:
        return Finding(case.name, Outcome.FAIL, f"no answer: {failure.why}"), None
    return judge(case, answer, deployment, stage.smoke.tolerance), answer


def _load(journal: Journal, stage: Stage, golden: Golden, deployment: str, load: Load) -> Finding:
    """Single golden rows, by so many clients at once, for so long."""
    at, serving = journal.at, journal.at.serving(stage)
    ends = at.clock.monotonic() + load.seconds
    stopped = Event()

    def client(first: int) -> tuple[list[float], int]:
        seconds, failures = [], 0
        for row in cycle(range(len(golden.rows))):
            if stopped.is_set() or at.clock.monotonic() >= ends:
                break
            place = (row + first) % len(golden.rows)
            try:
                answer = serving.score(stage.endpoint, Request(golden.body(place, place + 1), deployment))
            except NoAnswer:
                failures += 1
                continue
            seconds.append(answer.seconds)
            failures += answer.status != 200
        return seconds, failures

    clients = ThreadPoolExecutor(load.concurrency)
    running = [clients.submit(client, first) for first in range(load.concurrency)]
    try:
        while not all(one.done() for one in running):
            at.clock.sleep(0.2)
            journal.beat()
    except BaseException as left:
        stopped.set()  # a signal waits for nobody, and a lock that was lost not for long
        clients.shutdown(wait=isinstance(left, Exception), cancel_futures=True)
        raise
    clients.shutdown()
    rounds = [one.result() for one in running]
    every = [second for seconds, _ in rounds for second in seconds]
    name = f"load by {load.concurrency} clients for {load.seconds:g} s"
    return judge_latency(name, every, sum(failures for _, failures in rounds), load.p95_ms)
