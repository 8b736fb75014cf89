"""One run of the planner: a tick becomes a plan, what the mode asks for is done, and a report says what came of it."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from .backups import Mode, Outcome, Planned
from .cloud.client import BackupClient
from .cloud.listing import ask_time, list_project
from .config import Config
from .delivery import Delivery, EventName
from .door import Publish
from .errors import NotFinalError, SinkError
from .events.binding import Event
from .events.contract import EXPIRED
from .events.planning import Tick, read_tick, write_expired, write_report
from .guards import Clock
from .parts import Parts
from .planner_settings import PlannerSettings
from .reaper import AsPlanned, Reaper
from .record import Record, log_record
from .retention.plan import Listing, Plan, make_plan
from .retention.policy import PolicyFile
from .tally import Expired, Tally, report_facts

MAX_TICK_AGE: Final = timedelta(hours=1)
# Objects between two garbage collections, for a process that plans: each collection looks through those of the plan,
# which all stay. With the default of 700 the time grew faster than the list.
COLLECT_AFTER: Final = 100_000
PAUSES: Final = (0, 1, 2, 4, 8, 16, 32)  # seconds before each look at what may be deleted

Told = tuple[Expired, dict[str, str], dict[str, object]]  # an expired backup, and its event's attributes and data

log = logging.getLogger("backup-reaper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Settles ticks.

    Args:
        clients: the engines that are served, by name.
        reaper: settles what a sweep deletes, with the reaper's own guards.
        publish: where the events of expired backups go in mode `publish`, and results in mode `sweep`.
        tick_types: accepted types of ticks.
        source: of the events of expired backups and the reports.
        call_seconds: for one call, and for one deletion.
        observe: called with the record of each deletion of a sweep.
    """

    file: PolicyFile
    clients: Mapping[str, BackupClient]
    reaper: Reaper
    publish: Publish | None
    mode: Mode
    tick_types: Collection[str]
    source: str
    call_seconds: float
    observe: Callable[[Record], None] = log_record

    @classmethod
    def of(cls, config: Config, settings: PlannerSettings, parts: Parts) -> "Planner":
        """The planner that the settings ask for."""
        return cls(
            file=settings.file,
            clients=parts.clients,
            reaper=replace(parts.reaper, accepted_types={EXPIRED}),
            publish=parts.publish,
            mode=settings.mode,
            tick_types=settings.tick_types,
            source=settings.source,
            call_seconds=config.deadline_seconds,
        )

    def settle(self, event: Event, delivery: Delivery) -> tuple[Planned, dict[str, str], dict[str, object]]:
        """Carry out what a tick's event asks for.

        Raises:
            NotAnEventError: its type is not accepted.
            NotFinalError: as `carry_out`.
        """
        return self.carry_out(read_tick(event, self.tick_types), delivery)

    def carry_out(self, tick: Tick, delivery: Delivery) -> tuple[Planned, dict[str, str], dict[str, object]]:
        """Carry out what a tick asks for.

        Returns:
            What was done, and the attributes and the data of the report.

        Raises:
            NotFinalError: a list is unclear, the tick is ahead of our clock, or the sink refuses.
        """
        mode: Mode = "report" if tick.dry_run or self.reaper.policy.dry_run else self.mode
        if why := self._refuse_stale(tick, delivery):
            planned = Planned(mode=mode, skipped="stale_tick")
            facts: dict[str, object] = {"skipped": "stale_tick", "message": why}
        else:
            planned, facts = self._run(tick, mode, delivery)
        data = {"mode": mode, **facts}
        report = write_report(tick, data, source=self.source, now=delivery.now, trace=delivery.trace)
        return planned, *report

    def make_plan(
        self, as_of: datetime, delivery: Delivery, tell: Callable[[], None] = lambda: None, *, whole: bool = False
    ) -> tuple[Plan, bool]:
        """The plan for a moment, and whether a list moved while it was read.

        Args:
            tell: called before each page is read.
            whole: refuse a list that is shorter than its count.

        Raises:
            NotFinalError: a list is unclear, or our clock is off.
        """
        latest = delivery

        def begin() -> Delivery:
            nonlocal latest
            tell()
            latest = delivery.part(self.call_seconds)
            return latest

        listings, moved = [], False
        for engine, project_id in sorted(
            {(policy.engine, project_id) for policy in self.file.policies for project_id in policy.projects}
        ):
            listed = list_project(self.clients[engine], project_id, begin, whole=whole)
            Clock(ours=latest.now, api=latest.api_time).now()  # by which the tick's age was checked
            listings.append(Listing(engine=engine, project_id=project_id, backups=listed.backups))
            moved |= listed.moved
        return make_plan(listings, self.file, as_of), moved

    def _refuse_stale(self, tick: Tick, delivery: Delivery) -> str | None:
        """Why a tick is too old to plan for, or has expired; the next one comes.

        Raises:
            NotFinalError: it is ahead of our clock, or old by a clock that is off or that the API cannot confirm.
        """
        if tick.time is None:
            return "the tick has no time, so the moment to plan for is unknown"
        age = delivery.now - Clock(ours=delivery.now).not_ahead(tick.time, "the tick's time")
        if tick.expires and tick.expires <= delivery.now:
            why = f"the tick expired at {tick.expires.isoformat()}"
        elif age > MAX_TICK_AGE:
            why = f"the tick is {age.total_seconds():.0f} s old; the most is {MAX_TICK_AGE.total_seconds():.0f} s"
        else:
            return None
        part, policy = delivery.part(self.call_seconds), self.file.policies[0]
        ask_time(self.clients[policy.engine], policy.projects[0], part)
        Clock(ours=part.now, api=part.api_time).now()
        return why

    def _run(self, tick: Tick, mode: Mode, delivery: Delivery) -> tuple[Planned, dict[str, object]]:
        as_of = tick.time or delivery.now
        plan, moved = self.make_plan(as_of, delivery, whole=mode != "report")
        _log_plan(plan)
        tally = Tally()
        events = [(each, *self._event(each, tick, as_of)) for each in plan.expired()] if mode != "report" else []
        if mode == "publish" and self.publish:
            self._hand_over(self.publish, events, delivery, tally)
        if mode == "sweep":
            self._sweep(events, delivery, tally)
        counts = {**plan.counts(), **tally.acted, "left": len(tally.left)}
        return Planned(mode=mode, counts=counts), report_facts(plan, moved, tally, counts)

    def _hand_over(self, publish: Publish, events: Sequence[Told], delivery: Delivery, tally: Tally) -> None:
        """Hand the expired backups to the broker, oldest first, each acknowledged before the next.

        Raises:
            SinkError: the sink refused one; the tick comes again, with the same ids.
        """
        for _, attributes, data in events:
            publish(attributes, data, delivery.part(self.call_seconds))
            tally.add("published")

    def _sweep(self, events: Sequence[Told], delivery: Delivery, tally: Tally) -> None:
        """Delete the expired backups, oldest first.

        What may be deleted without a final outcome is asked for again: the next tick's list no longer has it, so nobody
        would ever tell what became of it. What is surely still there is left to the next tick.
        """
        unknown = [each for each in events if not self._delete(each, delivery, tally)]

        def goes_on(pause: float) -> bool:
            return bool(unknown) and self._has_time(pause, delivery)

        for pause in takewhile(goes_on, PAUSES):
            time.sleep(pause)  # noqa: TID251  # engines that delete asynchronously need some seconds
            unknown = [each for each in unknown if not self._settle(each, delivery, tally)[0]]
        tally.left += [expired for expired, _, _ in unknown]

    def _delete(self, told: Told, delivery: Delivery, tally: Tally) -> bool:
        """Whether it is known what became of one backup: it has a final outcome, or is surely still there."""
        if not self._has_time(0, delivery):
            tally.stop("the time for this run is over")
        if tally.stopped:
            tally.left.append(told[0])
            return True
        is_final, error, part = self._settle(told, delivery, tally)
        if error and error.needs_operator:
            tally.stop(str(error))
        if is_final or _may_be_deleted(error, part):
            return is_final
        tally.left.append(told[0])
        return True

    def _settle(self, told: Told, delivery: Delivery, tally: Tally) -> tuple[bool, NotFinalError | None, Delivery]:
        """Whether one backup has a final outcome, or why not; as the reaper does with a delivery of its event."""
        (group, verdict), attributes, data = told
        as_planned = AsPlanned(self.reaper.engines[group.engine], verdict.backup)
        reaper = replace(self.reaper, engines={group.engine: as_planned})
        part = delivery.part(self.call_seconds)
        part.event = EventName(id=attributes["id"], source=attributes["source"], type=attributes["type"])
        outcome: Outcome | None = None
        error: NotFinalError | None = None
        try:
            outcome, result, result_data = reaper.settle(Event(attributes, data, "structured"), part)
            tally.add(type(outcome).__name__.lower())
            self._publish_result(result, result_data, delivery, tally)
        except NotFinalError as caught:
            error = caught
        seconds = time.monotonic() - part.began
        self.observe(Record(delivery=part, outcome=outcome, error=error, status=None, seconds=seconds))
        return outcome is not None, error, part

    def _publish_result(self, attributes: Mapping[str, str], data: object, delivery: Delivery, tally: Tally) -> None:
        """Publish a result; a sink that refuses it is asked again, since no later run has it.

        Raises:
            NotFinalError: it was not taken in all the time there is; no other backup is deleted then.
        """
        if not self.publish:
            return
        refused: NotFinalError = SinkError("SINK_UNREACHABLE", "no time is left to publish the result")
        for pause in takewhile(lambda pause: self._has_time(pause, delivery), PAUSES):
            time.sleep(pause)  # noqa: TID251  # the result exists only here
            try:
                self.publish(attributes, data, delivery.part(self.call_seconds))
                return
            except NotFinalError as error:  # a proxy's refusal is not the sink's own
                refused = error
        tally.add("unpublished")
        tally.stop(str(refused))
        raise refused

    def _has_time(self, pause: float, delivery: Delivery) -> bool:
        """Whether the run can wait so long and then do one more thing; the report needs time, too."""
        return delivery.left() >= pause + 2 * self.call_seconds

    def _event(self, expired: Expired, tick: Tick, as_of: datetime) -> tuple[dict[str, str], dict[str, object]]:
        group, verdict = expired
        return write_expired(
            tick,
            engine=group.engine,
            project_id=group.project_id,
            instance_id=group.instance_id or "",
            backup_id=verdict.backup.id,
            policy=group.policy or "",
            reason=verdict.reasons[0],
            as_of=as_of,
            valid_for=self.file.event_valid_for,
            source=self.source,
        )


def _may_be_deleted(error: NotFinalError | None, part: Delivery) -> bool:
    """Whether a DELETE was sent whose answer does not tell: none came, it was broken, or it accepted the deletion."""
    answers = [call.status for call in part.calls if call.method == "DELETE"]
    if not answers or error is None:
        return False
    return answers[-1] < 400 or answers[-1] >= 500 or error.http_status != answers[-1]


def _log_plan(plan: Plan) -> None:
    """A line for each backup: what is reported is bounded, the log is not."""
    for group in plan.groups:
        about = {"engine": group.engine, "project.id": group.project_id, "instance.id": group.instance_id}
        for verdict in group.verdicts:
            word = "expired" if verdict.expired else "kept"
            fields = {**about, "backup.id": verdict.backup.id, "verdict": word, "reasons": list(verdict.reasons)}
            log.info("backup %s: %s", word, ", ".join(verdict.reasons), extra=fields)
