"""The exact commands for a person who must restore a stage by hand."""

from __future__ import annotations

from ctrain.flow.roll_back import newest_first
from ctrain.ports import LedgerReader
from ctrain.release import Release
from ctrain.rollout import Stage
from ctrain.serving import Endpoint


def way_out(release: Release, stage: Stage, endpoint: Endpoint | None, ledger: LedgerReader) -> tuple[str, ...]:
    """In their order: what shows how it stands, then what puts it right, of which any that works is enough.

    Where what served before is gone, who brought it there brings it there again; where it is ill, its log says why;
    where ctrain itself cannot be run, the platform's own command moves the traffic.
    """
    record = release.stage(stage.name)
    before = dict(record.before or {}) if record else {}
    commands = []
    if endpoint is not None and not endpoint.running:
        commands.append(endpoint.start_command)
    missing = [name for name in before if endpoint is not None and name not in endpoint.deployments]
    for name in missing:
        who = next((one.id for one in newest_first(ledger) if _brought(one, stage, name)), None)
        commands += [f"ctrain deploy --to {stage.name} {who}"] if who else []
    if endpoint is not None and any(not one.healthy for name, one in endpoint.deployments.items() if name in before):
        commands.append(f"ctrain logs --stage {stage.name}")
    if not missing:
        commands.append(f"ctrain rollout abort {stage.name}")
        if endpoint is not None and endpoint.route_command and before:
            split = dict.fromkeys(endpoint.deployments, 0) | before
            commands.append(f"{endpoint.route_command} {' '.join(f'{name}={part}' for name, part in split.items())}")
    return ("ctrain status", *commands)


def _brought(release: Release, stage: Stage, deployment: str) -> bool:
    record = release.stage(stage.name)
    return record is not None and record.promoted is not None and record.deployment == deployment
