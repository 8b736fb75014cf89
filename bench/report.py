"""Medians, ratios with bootstrap intervals, the table and the plot."""

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
# What was set out to be reached: a ratio of at most, or at least, so much.
TARGETS: Final[Mapping[tuple[str, str], tuple[str, float]]] = {
    ("cold_start_s", "sdk"): ("<=", 0.65),
    ("cold_start_s", "plain"): ("<=", 1.15),
    ("cold_start_s", "empty"): ("<=", 1.40),
    ("cpu_per_event_ms", "sdk"): ("<=", 0.50),
    ("cpu_per_event_ms", "plain"): ("<=", 0.65),
    ("p50_ms", "sdk"): ("<=", 0.50),
    ("p50_ms", "plain"): ("<=", 0.65),
    ("events_per_s_16", "sdk"): (">=", 1.9),
    ("events_per_s_16", "plain"): (">=", 1.5),
    ("events_per_s_64", "sdk"): (">=", 2.0),
    ("events_per_s_64", "plain"): (">=", 1.5),
    ("memory_mb", "sdk"): ("<=", 0.60),
    ("memory_mb", "plain"): ("<=", 1.05),
}
RESAMPLES: Final = 4000


def ratios(figures: Mapping[str, Mapping[str, Sequence[float]]]) -> list[dict[str, Any]]:
    """Ours divided by each peer's, with the 95 % interval; a target is met if the interval's lower end meets it."""
    rows: list[dict[str, Any]] = []
    for figure in FIGURES:
        for peer in PEERS:
            if figure in figures[peer]:
                rows.append({"figure": figure, "peer": peer, **_ratio(figures["ours"][figure], figures[peer][figure])})
                if target := TARGETS.get((figure, peer)):
                    sign, bound = target
                    low = rows[-1]["low"]
                    rows[-1] |= {"target": f"{sign} {bound}", "met": low <= bound if sign == "<=" else low >= bound}
    return rows


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
        verdict = {True: "met", False: "missed"}.get(row.get("met"), "")
        interval = f"{row['low']:.2f} to {row['high']:.2f}"
        title = FIGURES[row["figure"]]
        cells = (PEERS[row["peer"]], title, f"{row['ratio']:.2f}", interval, row.get("target", ""), verdict)
        print(f"| {' | '.join(cells)} |")


def write_plot(results: Mapping[str, Any], path: Path) -> None:
    """Each contestant's medians, a panel a figure."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "bench"  # the same figures make the same file
    from matplotlib import pyplot

    names = {"ours": "ours", **PEERS}
    figure, panels = pyplot.subplots(2, 4, figsize=(14, 5), layout="constrained")
    for panel, (key, title) in zip(panels.flat, FIGURES.items(), strict=True):
        shown = {
            label: results["figures"][name][key] for name, label in names.items() if key in results["figures"][name]
        }
        medians = [statistics.median(values) for values in shown.values()]
        panel.barh(list(shown), medians, color=["C2", "C7", "C7", "C7"])
        panel.set_title(title, fontsize=9)
        panel.invert_yaxis()
        panel.tick_params(labelsize=8)
    figure.savefig(path, metadata={"Date": None})
