"""Figures with their rivals and bounds, and contestants that take turns, so that noise meets all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """The limit of a ratio.

    :param limit: The limit. A ratio equal to it is still within the bound.
    :param most: Whether the limit is the most that is allowed, rather than the least.
    """

    limit: float
    most: bool = False

    def __str__(self) -> str:
        return f"{'at most' if self.most else 'at least'} {self.limit:g}"

    def holds(self, ratio: float | None) -> bool:
        """Return whether a ratio is within the bound. A ratio that was not measured is not."""
        if ratio is None:
            return False
        return ratio <= self.limit if self.most else ratio >= self.limit


@dataclass(frozen=True)
class Ratio:
    """Our figure against the rival's, compared round by round.

    It holds the median of the rounds' ratios, not the ratio of two medians: load that slows the machine for a
    while slows both sides of a round.

    :param median: Of all rounds.
    :param low: Lower quartile.
    :param high: Upper quartile.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, ours: Sequence[float], rival: Sequence[float]) -> Ratio:
        """Compare two series, measured in turns."""
        ratios = [mine / theirs for mine, theirs in zip(ours, rival, strict=True)]
        if len(ratios) == 1:
            return cls(ratios[0], ratios[0], ratios[0])
        low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return cls(median, low, high)

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    :param what: What was measured.
    :param ours: Our figure, with its unit.
    :param rival: The rival's name and figure; empty if there is none.
    :param ratio: Ours against the rival's; ``None`` if there is no comparison or no measurement.
    :param bound: The bound of the ratio; ``None`` for a figure without one.
    """

    what: str
    ours: str
    rival: str = ""
    ratio: Ratio | None = None
    bound: Bound | None = None

    @property
    def missed(self) -> bool:
        """Whether the figure has a bound that does not hold."""
        return self.bound is not None and not self.bound.holds(self.ratio.median if self.ratio else None)

    @property
    def verdict(self) -> str:
        """The bound, and whether it holds."""
        if self.bound is None:
            return ""
        return f"{self.bound}: {'MISSED' if self.missed else 'holds'}"


def in_turns(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Let every contestant run once uncounted, then once a round. Each round begins with another one.

    :param contestants: Functions by name. Each runs once and returns its figure.
    :param rounds: How often each runs.
    :return: The figures of each, in the order of the rounds.
    """
    names = list(contestants)
    for run in contestants.values():
        run()
    figures: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        begin = number % len(names)
        for name in (*names[begin:], *names[:begin]):
            figures[name].append(contestants[name]())
    return figures


def table(figures: Sequence[Figure]) -> str:
    """Write figures as lines of aligned columns."""
    head = ("what", "ours", "against", "ratio (quartiles)", "bound")
    rows = [
        head,
        *((each.what, each.ours, each.rival, str(each.ratio or ""), each.verdict) for each in figures),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
