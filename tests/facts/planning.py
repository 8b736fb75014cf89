"""Backups and policies to plan with, and the strategies that the planner's property tests draw from."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st

from function.backups import Backup
from function.retention.durations import Duration
from function.retention.plan import Group, Listing, Plan, make_plan
from function.retention.policy import PolicyFile, RetentionPolicy
from function.retention.rules import PERIODS, KeepRules
from function.retention.verdicts import Verdict
from tests.facts.account import INSTANCE, PROJECT

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
AS_OF: Final = datetime(2026, 11, 27, 12, tzinfo=UTC)

# One with summer time on the northern half, one on the southern with a change of half an hour, one without, and UTC.
ZONES: Final = tuple(map(ZoneInfo, ("Europe/Berlin", "Australia/Lord_Howe", "Asia/Shanghai", "UTC")))

# Deletions follow from a plan, so it is worth thousands of examples; but thousands of mutants can't afford them.
_WHOLE: Final = settings.get_current_profile_name() == "whole"  # what `make test` asks for
thorough: Final = settings(max_examples=2000 if _WHOLE else 50)
many: Final = settings(max_examples=500 if _WHOLE else 50)


def made(time: datetime, **facts: Any) -> Backup:
    """A usable backup made at a time; its id is the time unless given."""
    defaults: dict[str, Any] = {
        "id": time.astimezone(UTC).strftime("%Y-%m-%d-%H-%M-%S"),
        "name": "nightly",
        "instance_id": INSTANCE,
        "type": "manual",
        "status": "COMPLETED",
        "begin_time": time,
        "description": "",
    }
    return Backup(**{**defaults, **facts})


def policy(rules: KeepRules | None = None, **facts: Any) -> RetentionPolicy:
    """A policy for every instance of the project; nothing but the last one is kept unless rules are given."""
    defaults: dict[str, Any] = {
        "name": "standard",
        "engine": "taurusdb",
        "projects": (PROJECT,),
        "instances": ("*",),
        "rules": rules or KeepRules(last=1),
        "min_age": Duration.parse("P1D"),
        "expire_failed_after": None,
        "hold_words": (),
    }
    return RetentionPolicy(**{**defaults, **facts})


def policy_file(*policies: RetentionPolicy, **facts: Any) -> PolicyFile:
    """A policy file without limits that bite."""
    defaults: dict[str, Any] = {
        "timezone": ZoneInfo("UTC"),
        "event_valid_for": 12 * HOUR,
        "max_expired": 100_000,
        "max_expired_percent": None,
        "policies": policies,
        "sha256": "0" * 64,
    }
    return PolicyFile(**{**defaults, **facts})


def plan(backups: Sequence[Backup], file: PolicyFile, as_of: datetime = AS_OF) -> Plan:
    """The plan of one project."""
    return make_plan([Listing(engine="taurusdb", project_id=PROJECT, backups=backups)], file, as_of)


def only_group(plan: Plan) -> Group:
    """The plan's one group."""
    (group,) = plan.groups
    return group


def verdicts(plan: Plan) -> dict[str, Verdict]:
    """The plan's verdicts by the backup's id."""
    return {verdict.backup.id: verdict for group in plan.groups for verdict in group.verdicts}


def reasons(plan: Plan) -> dict[str, str]:
    """The plan's verdicts in a word or two, by the backup's id."""
    words = {True: "expired", False: "keep"}
    return {id: f"{words[each.expired]}: {', '.join(each.reasons)}" for id, each in verdicts(plan).items()}


def expired(plan: Plan) -> set[str]:
    """The ids of what has expired, whatever the limits say."""
    return {id for id, verdict in verdicts(plan).items() if verdict.expired}


# Times that meet: same hours, days, weeks and months; ties; both changes of the clock; ends of months; and the future.
_CHANGES: Final = (datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 4, 4, 15, tzinfo=UTC))
_MONTH_ENDS: Final = (datetime(2026, 3, 31, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC))
_TIMES: Final = (
    *(AS_OF - hours * HOUR for hours in range(-2, 60)),
    *(AS_OF - days * DAY for days in [*range(60), *range(60, 900, 9)]),
    *(change + minutes * HOUR / 12 for change in _CHANGES for minutes in range(-20, 21)),
    *(end + hours * HOUR for end in _MONTH_ENDS for hours in range(-60, 61, 4)),
)

# Mostly usable: the rules are about these. The others must not get in their way.
_KINDS: Final[tuple[dict[str, Any], ...]] = (
    *({},) * 8,
    {"status": "AVAILABLE"},
    {"status": "FAILED"},
    {"status": "FAILED", "name": "keep-hold"},
    {"status": "BUILDING"},
    {"name": "on hold"},
    {"begin_time": None},
    {"type": None},
    {"type": "auto"},
)


# One draw for a whole list, and one for a policy: Hypothesis takes more time for a draw than we do for a plan.
_DRAWN: Final = [(time, facts) for time in _TIMES for facts in _KINDS]


def _read_backups(drawn: bytes) -> list[Backup]:
    chosen = [_DRAWN[int.from_bytes(drawn[at : at + 2]) % len(_DRAWN)] for at in range(0, len(drawn), 2)]
    return [replace(made(time, id=f"b{number}"), **facts) for number, (time, facts) in enumerate(chosen)]


def _read_times(drawn: bytes) -> list[datetime]:
    chosen = [_TIMES[int.from_bytes(drawn[at : at + 2]) % len(_TIMES)] for at in range(0, len(drawn), 2)]
    return sorted(chosen, reverse=True)


backup_lists: Final = st.binary(max_size=24).map(_read_backups)
ordered_times: Final = st.binary(max_size=30).map(_read_times)

DURATIONS: Final = tuple(map(Duration.parse, ("PT30H", "P2D", "P2W", "P1M", "P1Y", "P1Y2M3D")))


def _any_rules(random: Random) -> KeepRules:
    names = random.sample(list(PERIODS), random.randrange(4))
    return KeepRules(
        last=random.randint(1, 3),
        periods={name: random.randint(1, 4) for name in names},
        within=random.choice([None, *DURATIONS]),
    )


def _any_file(random: Random) -> PolicyFile:
    chosen = policy(
        _any_rules(random),
        min_age=Duration.parse(random.choice(["PT1H", "P1D", "P3D"])),
        expire_failed_after=random.choice([None, Duration.parse("P2D")]),
        hold_words=random.choice([(), ("hold",)]),
    )
    return policy_file(chosen, timezone=random.choice(ZONES))


_RANDOM: Final = Random(1)
keep_rules: Final = st.sampled_from([_any_rules(_RANDOM) for _ in range(500)])
policy_files: Final = st.sampled_from([_any_file(_RANDOM) for _ in range(500)])
