"""After the storm: nothing fails any more, everybody runs again, and all must come to a good end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ctrain.errors import ExitCode
from ctrain.flow.journal import Patience
from ctrain.rollout import Stage
from ctrain.serving import Endpoint
from tests.simulation.people import visit
from tests.simulation.ports import Storm, Visit
from tests.simulation.schedule import Nature, Person, Verb

REST = 400.0
"""Seconds in which every lease of the dead runs out."""

ROUNDS = 6


@dataclass
class Calm:
    """Runs every commit again, until nothing changes."""

    storm: Storm
    ended: set[str]
    runs: int = 0

    def __post_init__(self) -> None:
        self.world, self.checker = self.storm.world, self.storm.checker

    def settle(self) -> None:
        """Everybody again, oldest commit first; then what must be true at the end."""
        self.world.baton.pause(REST)
        for person in self.world.schedule.people:
            if person.name not in self.ended:
                self._visit(replace(person, name=f"again-{person.name}", patience=Patience()))
        for stage in self.world.schedule.stages:
            self._visit(Person(f"again-{stage.name}", Verb.GO_ON, 0.0, 1, stage.name, 0.0, 1))
        self._put_right()
        codes: list[ExitCode | None] = []
        for _ in range(ROUNDS):
            before = self._state(), codes
            codes = [self._run(commit.number) for commit in self.world.schedule.commits]
            self._put_right()
            if (self._state(), codes) == before:
                break
        else:
            self.checker.wrong(0, "everybody", f"it never settles: {self._state()}")
        self._end(codes)

    def _run(self, number: int) -> ExitCode | None:
        person = Person(f"again-{number}", Verb.RUN, 0.0, number, "", 0.0, 1)
        code = self._visit(person)
        self._again(person, code)
        return code

    def _visit(self, person: Person) -> ExitCode | None:
        self.runs += 1
        return visit(person, Visit(f"{person.name}.{self.runs}", 0.0, self.storm))

    def _again(self, person: Person, code: ExitCode | None) -> None:
        """What is finished, run again, writes nothing."""
        if code is not ExitCode.DONE or not self._serves_everywhere(person.about):
            return
        written = self.world.writes
        code = self._visit(person)
        if code is not ExitCode.DONE or self.world.writes != written:
            wrote = self.world.writes - written
            self.checker.wrong(
                5, person.name, f"a finished release, run again, wrote {wrote} times and ended in {code}"
            )

    def _serves_everywhere(self, number: int) -> bool:
        """Whether that commit's model serves all stages: a release that another one overtook is not the last word."""
        sha = self.world.schedule.commit(number).sha
        for stage in self.world.schedule.stages:
            seen = self.world.serving.endpoints.get(stage.endpoint)
            full = [name for name, percent in seen.traffic.items() if percent == 100] if seen else []
            if not seen or not full or seen.deployments[full[0]].tags["commit"] != sha:
                return False
        return True

    def _state(self) -> object:
        """What serves where, and who is the champion."""
        endpoints = self.world.serving.endpoints
        traffic = {name: (dict(seen.traffic), sorted(seen.deployments)) for name, seen in sorted(endpoints.items())}
        champion = self.world.registry.champions.get("visits")
        return traffic, champion.version if champion else None

    def _put_right(self) -> None:
        """What a stranger did, a person sets right: all the traffic to the best that is healthy."""
        for stage in self.world.schedule.stages:
            seen = self.world.serving.endpoints.get(stage.endpoint)
            if seen is None or not self.checker.past[stage.endpoint].touched or self._fine(stage, seen):
                continue
            well = [name for name, one in seen.deployments.items() if one.healthy]
            well = [name for name in well if (stage.name, name) not in self.checker.marked] or well
            if well:
                best = max(well, key=lambda name: (seen.traffic.get(name, 0), name))
                self.world.serving.endpoints[stage.endpoint] = replace(seen, traffic={best: 100}, mirror={})
                self.checker.meddled("somebody who sets it right", stage)

    def _fine(self, stage: Stage, seen: Endpoint) -> bool:
        shares = [(name, percent) for name, percent in seen.traffic.items() if percent]
        return not seen.mirror and len(shares) == 1 and shares[0][1] == 100 and seen.deployments[shares[0][0]].healthy

    def _end(self, codes: list[ExitCode | None]) -> None:
        """One healthy version serves each stage that ever served; the champion is what the last one serves."""
        world, wrong = self.world, self.checker.wrong
        for stage in world.schedule.stages:
            self.checker.look("the end", stage, excused=False)
            seen = world.serving.endpoints.get(stage.endpoint)
            if seen is not None and self.checker.past[stage.endpoint].served and not self._fine(stage, seen):
                wrong(0, "the end", f"{stage.name} serves {dict(seen.traffic)}, mirrored {dict(seen.mirror)}")
        last = world.schedule.stages[-1]
        seen, champion = world.serving.endpoints.get(last.endpoint), world.registry.champions.get("visits")
        serving = next((d for n, d in seen.deployments.items() if seen.traffic.get(n) == 100), None) if seen else None
        ours = champion.digest if champion else None
        theirs = serving.model_digest if serving else None
        if ours != theirs and not self.checker.past[last.endpoint].touched:
            wrong(0, "the end", f"{last.name} serves {theirs}, and the champion is {ours}")
        for name in world.ledger.leases:
            if world.ledger.held(name):
                wrong(0, "the end", f"somebody still holds {name}: {world.ledger.leases[name]}")
        self._newest(codes, serving.model_digest if serving else None)

    def _newest(self, codes: list[ExitCode | None], serving: str | None) -> None:
        """Nothing stands in the way of a good newest commit for ever."""
        newest, code = self.world.schedule.commits[-1], codes[-1]
        if (
            newest.nature is not Nature.GOOD
            or self.checker.marked
            or any(p.touched for p in self.checker.past.values())
        ):
            return
        if any(
            event.what.kind == "abort_asked" and not event.what.superseded_by for event in self.world.ledger.appended
        ):
            return  # a person did not want it
        waits = self.world.schedule.stages[-1].approval == "required" and code is ExitCode.UNDECIDED
        if code is not ExitCode.DONE and not waits:
            self.checker.wrong(0, "the end", f"the newest commit is good, and ends in {code!r}")
