"""A plan as one HTML page that needs nothing else: to read on a phone or a screen, to print, and to sign."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

from .plan import Group, Plan
from .report import Size, clean, outcome_text, shown_name, shown_size, shown_time, totals_text
from .timeline import LANES, lane_of, mark, time_line
from .verdicts import Verdict

# Reasons that are no rules, for a reader who does not know our words.
SAID: Final[Mapping[str, str]] = {
    "no_rule": "no rule keeps it",
    "failed": "failed backup",
    "hold": "hold word in its name or description",
    "min_age": "too young",
    "in_progress": "not complete",
    "partial": "holds only some databases or tables",
    "future": "dated in the future",
    "unreadable": "cannot be evaluated: the list is unclear about it",
    "no_policy": "no policy names its instance",
}

# Of each pair the first is for light, the second for dark: all at least 3:1 on their background (WCAG 2.2, 1.4.11).
COLOURS: Final[Mapping[str, tuple[str, str]]] = {
    "background": ("#ffffff", "#15171c"),
    "text": ("#1b1f24", "#e6e8eb"),
    "quiet": ("#59616b", "#a3abb5"),
    "rule": ("#d5dae0", "#363c45"),
    "stripe": ("#f5f7f9", "#1c1f26"),
    "yearly": ("#1d4ed8", "#8fb0ff"),
    "monthly": ("#047857", "#45d69a"),
    "weekly": ("#b45309", "#fbbf24"),
    "daily": ("#7c3aed", "#c4a7ff"),
    "hourly": ("#be185d", "#f9a8d4"),
    "within": ("#0e7490", "#5fdcf0"),
    "last": ("#1b1f24", "#e6e8eb"),
    "hold": ("#9a3412", "#fdba74"),
    "other": ("#6b7280", "#9ca3af"),
    "expired": ("#c81e1e", "#fca5a5"),
}

_MIDDLE: Final = 'cx="6" cy="6"'

_STYLE: Final = """
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 3rem; background: var(--background); color: var(--text);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif }
h1 { font-size: 1.6rem; margin: 0 0 .25rem }
h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere }
p { margin: .25rem 0; max-width: 60rem; overflow-wrap: anywhere }
.quiet, code { color: var(--quiet) }
code { font: .8em ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace }
a { color: inherit }
section { margin-top: 2.5rem; border-top: 2px solid var(--rule); padding-top: 1rem }
.refused { border-left: 4px solid var(--expired); padding-left: .75rem }
table { border-collapse: collapse; width: 100%; margin-top: .75rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid var(--rule);
  font-weight: normal; overflow-wrap: anywhere }
thead th { color: var(--quiet); font-size: .85em; border-bottom-width: 2px }
tfoot td, tfoot th { font-weight: 600 }
tbody tr:nth-child(even) { background: var(--stripe) }
.number { text-align: right; white-space: nowrap }
.time { font-variant-numeric: tabular-nums; white-space: nowrap }
th code { display: inline-block }
.word { white-space: nowrap; font-weight: 600 }
.word svg { margin-right: .35rem; vertical-align: -1px }
.line { display: block; overflow: visible; margin: .75rem 8px 0; width: calc(100% - 16px) }
.line text { font-size: 12px; fill: var(--quiet); paint-order: stroke; stroke: var(--background); stroke-width: 4px }
.line line { stroke: var(--rule) }
circle { stroke: var(--background); stroke-width: 1 }
.sign { display: none }
@media (max-width: 40rem) {
  body { font-size: 14px; padding: 1rem .75rem }
  thead { position: absolute; clip-path: inset(50%) }
  table, tbody, tfoot { display: block }
  tr { display: grid; grid-template-columns: minmax(0, 1fr) auto; padding: .35rem 0;
    border-bottom: 1px solid var(--rule) }
  th, td { border: 0; padding: .05rem .3rem }
  tbody th, .why { grid-column: 1 / -1 }
  .backups tbody th { grid-row: 2 }
  .instances td { grid-column: 1 / -1; text-align: left }
  .instances .number::before { content: attr(data-name) " " }
}
@media print {
  body { max-width: none; padding: 0; font-size: 8pt }
  tfoot { display: table-row-group }
  .why { width: 34% }
  code { font-size: .75em }
  h2, .line { break-after: avoid }
  .line, tr, .sign { break-inside: avoid }
  .sign { display: flex; gap: 2rem; margin-top: 4rem }
  .sign span { flex: 1; border-top: 1px solid; padding-top: .25rem }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
}
"""


def to_page(plan: Plan) -> Iterator[str]:
    """The page, piece by piece."""
    yield from _head(plan)
    yield from _overview(plan)
    for number, group in enumerate(plan.groups):
        yield from _section(number, group, plan)
    yield '<p class="sign"><span>Approved by</span><span>Date</span></p>\n</body></html>\n'


def _head(plan: Plan) -> Iterator[str]:
    zone = plan.file.timezone
    as_of = shown_time(plan.as_of, zone)
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        # Nothing is fetched and no script runs, whatever a backup is called.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>Retention plan as of {as_of}</title>\n<style>{_STYLE}{_colours()}</style></head>\n<body>\n"
        f"<h1>Retention plan as of {as_of}</h1>\n"
        f'<p class="quiet">Times in {escape(zone.key)}. Policy file <code>{plan.file.sha256}</code> (SHA-256).</p>\n'
        f"<p>{escape(totals_text(plan))}.</p>\n"
        "<p>A mark on a time line is a backup, at the time when it was made. A filled one is kept, and stands in the"
        " lane of the rule that keeps it longest. A hollow one has expired.</p>\n"
    )


def _colours() -> str:
    """The colours as CSS variables. Paper is light whatever the reader prefers."""
    light, dark = ("".join(f"--{name}: {pair[side]};" for name, pair in COLOURS.items()) for side in (0, 1))
    lanes = " ".join(f"circle.{lane} {{ fill: var(--{lane}) }}" for lane in LANES[:-1])
    hollow = "circle.expired { fill: var(--background); stroke: var(--expired); stroke-width: 1.5 }"
    dark_too = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"
    return f":root {{ {light} }}\n{dark_too}\n{lanes} {hollow}"


def _overview(plan: Plan) -> Iterator[str]:
    """All instances, with their sums."""
    yield (
        '<table class="instances"><thead><tr><th scope="col">Instance</th><th scope="col">Outcome</th>'
        '<th scope="col" class="number">Expired</th><th scope="col" class="number">Kept</th></tr></thead>\n<tbody>\n'
    )
    for number, group in enumerate(plan.groups):
        expired, kept = _sums(group)
        yield (
            f'<tr><th scope="row"><a href="#i{number}">{escape(group.instance_id or "not known")}</a></th>'
            f'<td>{escape(group.outcome)}</td><td class="number" data-name="expired">{expired}</td>'
            f'<td class="number" data-name="kept">{kept}</td></tr>\n'
        )
    yield "</tbody></table>\n"
    for engine, project_id, instance_id in plan.absent:
        yield (
            f"<p>A policy names instance <code>{escape(instance_id)}</code> ({escape(engine)}, project"
            f" <code>{escape(project_id)}</code>), but the list has no manual backup of it.</p>\n"
        )


def _section(number: int, group: Group, plan: Plan) -> Iterator[str]:
    """One instance: what it is, its time line, and its backups."""
    zone = plan.file.timezone
    expired, kept = _sums(group)
    refused = ' class="refused"' if group.outcome.startswith("refused") else ""
    yield (
        f'<section id="i{number}"><h2>Instance {escape(group.instance_id or "not known")}</h2>\n'
        f'<p class="quiet">{escape(group.engine)}, project {escape(group.project_id)}, '
        f"policy {escape(group.policy or 'none')}</p>\n<p{refused}>{escape(outcome_text(group))}.</p>\n"
    )
    yield from time_line(group, plan, f"line{number}")
    yield (
        '<table class="backups"><thead><tr><th scope="col">Made</th><th scope="col">Backup</th>'
        '<th scope="col" class="number">Size</th><th scope="col">Verdict</th></tr></thead>\n'
    )
    yield "<tbody>\n"
    for verdict in group.verdicts:
        yield (
            f'<tr><td class="time">{shown_time(verdict.backup.begin_time, zone)}</td>'
            f'<th scope="row">{_named(verdict)}</th>'
            f'<td class="number">{shown_size(verdict)}</td><td class="why">{_word(verdict)} {_why(verdict)}</td></tr>\n'
        )
    yield "</tbody>\n<tfoot>"
    for name, total in (("Expired, but over a limit" if refused else "Expired", expired), ("Kept", kept)):
        yield f'<tr><th scope="row" colspan="2">{name}</th><td class="number" colspan="2">{total}</td></tr>'
    yield "</tfoot></table></section>\n"


def _sums(group: Group) -> tuple[str, str]:
    """How many have expired and how many are kept, each with their size."""
    expired = [verdict for verdict in group.verdicts if verdict.expired]
    kept = [verdict for verdict in group.verdicts if not verdict.expired]
    return f"{len(expired)} ({Size.of(expired)})", f"{len(kept)} ({Size.of(kept)})"


def _named(verdict: Verdict) -> str:
    name, identifier = shown_name(verdict), clean(verdict.backup.id)
    return escape(name) if name == identifier else f"{escape(name)} <code>{escape(identifier)}</code>"


def _word(verdict: Verdict) -> str:
    """The verdict, with the mark that the backup has on the time line."""
    return (
        '<span class="word"><svg width="12" height="12" aria-hidden="true">'
        f"{mark(lane_of(verdict), _MIDDLE)}</svg>{'expired' if verdict.expired else 'keep'}</span>"
    )


def _why(verdict: Verdict) -> str:
    return escape(", ".join(SAID.get(reason, reason) for reason in verdict.reasons))
