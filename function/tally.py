"""What came of the expired backups of one run, and what the report says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from .retention.plan import Group, Plan
from .retention.verdicts import Verdict

MAX_REPORTED: Final = 60  # of each list: an event of EventGrid holds 64 KB

Expired = tuple[Group, Verdict]


@dataclass(slots=True)
class Tally:
    """What came of the expired backups of one run.

    Args:
        acted: how many ended so: `published`, or in a sweep `deleted`, `failed` or `skipped`; of these,
            `unpublished` ones have a result that the sink did not take.
        left: those without a final outcome, for the next tick.
        stopped: why a sweep ended early.
    """

    acted: dict[str, int] = field(default_factory=dict)
    left: list[Expired] = field(default_factory=list)
    stopped: str | None = None

    def stop(self, why: str) -> None:
        """Nothing more is begun; the first reason stays."""
        self.stopped = self.stopped or why

    def add(self, word: str) -> None:
        """One more ended so."""
        self.acted[word] = self.acted.get(word, 0) + 1


def report_facts(plan: Plan, moved: bool, tally: Tally, counts: Mapping[str, int]) -> dict[str, object]:
    """What a report says of a plan and of what was done, at most so much of it as an event can hold."""
    expired = plan.expired()
    return {
        "as_of": plan.as_of.isoformat(),
        "timezone": str(plan.file.timezone),
        "policy_sha256": plan.file.sha256,
        "list_moved": moved,
        "counts": dict(counts),
        "megabytes_expired": round(sum(verdict.backup.size_mb or 0 for _, verdict in expired)),
        "groups": [_group_facts(group) for group in plan.groups[:MAX_REPORTED]],
        "expired": [_named(each) for each in expired[:MAX_REPORTED]],
        "left": [_named(each) for each in tally.left[:MAX_REPORTED]],
        "absent_instances": [
            {"engine": engine, "project_id": project_id, "instance_id": instance_id}
            for engine, project_id, instance_id in plan.absent[:MAX_REPORTED]
        ],
        "truncated": max(map(len, (plan.groups, expired, tally.left, plan.absent))) > MAX_REPORTED,
        **({"stopped": tally.stopped} if tally.stopped else {}),
    }


def _group_facts(group: Group) -> dict[str, object]:
    expired = sum(verdict.expired for verdict in group.verdicts)
    facts = {
        "engine": group.engine,
        "project_id": group.project_id,
        "instance_id": group.instance_id,
        "policy": group.policy,
        "outcome": group.outcome,
        "remedy": group.remedy,
    }
    counts = {"kept": len(group.verdicts) - expired, "expired": expired}
    return {**{name: value for name, value in facts.items() if value is not None}, **counts}


def _named(expired: Expired) -> dict[str, object]:
    group, verdict = expired
    return {
        "engine": group.engine,
        "project_id": group.project_id,
        "instance_id": group.instance_id,
        "backup_id": verdict.backup.id,
    }
