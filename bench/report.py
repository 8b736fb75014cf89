"""Medians, ratios with bootstrap intervals, targets, the table and the plot."""

import random
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

FIGURES: Final = {
    "cold_start_s": "cold start, s",
    "cpu_per_event_ms": "CPU per event, ms",
    "cpu_per_event_tls_ms": "CPU per event over TLS, a connection each, ms",
    "p50_ms": "latency p50, one connection, ms",
    "p99_ms": "latency p99, one connection, ms",
    "events_per_s_16": "events/s, 16 connections",
    "events_per_s_64": "events/s, 64 connections, 50 ms API",
    "memory_mb": "memory (PSS) after that load, MB",
}
PEERS: Final = {"sdk": "official SDK", "plain": "plain requests", "empty": "empty function"}
# A ratio of at most, or at least, so much.
TARGETS: Final[Mapping[tuple[str, str], tuple[str, float]]] = {
    ("cold_start_s", "sdk"): ("<=", 0.55),
    ("cold_start_s", "plain"): ("<=", 1.0),
    ("cold_start_s", "empty"): ("<=", 1.3),
    ("cpu_per_event_ms", "sdk"): ("<=", 0.55),
    ("cpu_per_event_ms", "plain"): ("<=", 0.70),
    ("p50_ms", "sdk"): ("<=", 0.55),
    ("p50_ms", "plain"): ("<=", 0.70),
    ("events_per_s_16", "sdk"): (">=", 1.6),
    ("events_per_s_16", "plain"): (">=", 1.35),
    ("memory_mb", "sdk"): ("<=", 0.5),
    ("memory_mb", "plain"): ("<=", 0.9),
}
RESAMPLES: Final = 4000


def ratios(figures: Mapping[str, Mapping[str, Sequence[float]]]) -> list[dict[str, Any]]:
    """Ours divided by each peer's, with the 95 % interval."""
    return [
        {"figure": figure, "peer": peer, **_ratio(figures["ours"][figure], figures[peer][figure])}
        for figure in FIGURES
        for peer in PEERS
        if figure in figures[peer]
    ]


def is_met(row: Mapping[str, Any]) -> bool | None:
    """Whether a ratio meets its target, even at the end of the interval that is worse for us; None without a target."""
    match TARGETS.get((row["figure"], row["peer"])):
        case ("<=", bound):
            return bool(row["high"] <= bound)
        case (_, bound):
            return bool(row["low"] >= bound)
    return None


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    dice = random.Random(1)
    resampled = sorted(
        statistics.median(dice.choices(ours, k=len(ours))) / statistics.median(dice.choices(theirs, k=len(theirs)))
        for _ in range(RESAMPLES)
    )
    return {
        "ratio": statistics.median(ours) / statistics.median(theirs),
        "low": resampled[int(0.025 * RESAMPLES)],
        "high": resampled[int(0.975 * RESAMPLES)],
    }


def print_report(results: Mapping[str, Any]) -> None:
    """The medians and the ratios, as Markdown."""
    print(f"{results['date']}, {results['machine']}; medians\n")
    print(f"| figure | ours | {' | '.join(PEERS.values())} |\n|---|---|---|---|---|")
    for figure, title in FIGURES.items():
        medians = (results["figures"][name].get(figure) for name in ("ours", *PEERS))
        print(f"| {title} | {' | '.join(f'{statistics.median(m):.3g}' if m else '' for m in medians)} |")
    print("\n| ours divided by | figure | ratio | 95 % interval | target | |\n|---|---|---|---|---|---|")
    for row in results["ratios"]:
        target = " ".join(map(str, TARGETS.get((row["figure"], row["peer"]), ())))
        verdict = {True: "met", False: "missed", None: ""}[is_met(row)]
        interval = f"{row['low']:.2f} to {row['high']:.2f}"
        title = FIGURES[row["figure"]]
        print(f"| {PEERS[row['peer']]} | {title} | {row['ratio']:.2f} | {interval} | {target} | {verdict} |")


def write_plot(results: Mapping[str, Any], path: Path) -> None:
    """Each contestant's medians as SVG, a panel a figure."""
    panels = [
        f'<g transform="translate({10 + 300 * (number % 3)} {10 + 120 * (number // 3)})">\n'
        f'<text y="10" font-weight="bold">{title}</text>\n{_bars(results["figures"], figure)}</g>\n'
        for number, (figure, title) in enumerate(FIGURES.items())
    ]
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 360" font-family="sans-serif" font-size="10">\n'
        f'<rect width="900" height="360" fill="#fff"/>\n{"".join(panels)}</svg>\n'
    )


def _bars(figures: Mapping[str, Mapping[str, Sequence[float]]], figure: str) -> str:
    medians = {name: statistics.median(figures[name][figure]) for name in ("ours", *PEERS) if figure in figures[name]}
    longest = max(medians.values())
    return "".join(
        f'<text x="75" y="{31 + 20 * row}" text-anchor="end">{PEERS.get(name, name)}</text>'
        f'<rect x="80" y="{20 + 20 * row}" width="{160 * median / longest:.0f}" height="15"'
        f' fill="{"#aaa" if name in PEERS else "#2a2"}"/>'
        f'<text x="{84 + 160 * median / longest:.0f}" y="{31 + 20 * row}">{median:.3g}</text>\n'
        for row, (name, median) in enumerate(medians.items())
    )
