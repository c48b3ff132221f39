"""The few forms of PromQL that are easy to get wrong, each once."""

from __future__ import annotations


def summed_rate(by: str, series: str, window: str) -> str:
    """Return the increase per second, summed up by labels."""
    return f"sum by ({by}) (rate({series}[{window}]))"


def part_rate(by: str, part: str, whole: str, window: str) -> str:
    """Return the increase per second of `part`, which is 0 where there is only other things of `whole` yet."""
    return f"{summed_rate(by, part, window)}\nor\n{summed_rate(by, whole, window)} * 0"


def share(by: str, part: str, whole: str, window: str) -> str:
    """Return which share of `whole` the increases of `part` are: both sides summed up by the same labels.

    Nothing of `part` yet is a share of 0, no increase of `whole` is no share at all (and not NaN).
    """
    return f"(\n{indented(part_rate(by, part, whole, window))}\n)\n/\n({summed_rate(by, whole, window)} > 0)"


def indented(expression: str) -> str:
    """Return an expression as it stands within brackets of their own lines."""
    return "  " + expression.replace("\n", "\n  ")


def quantile(q: float, by: str, buckets: str, window: str) -> str:
    """Return a quantile of a histogram of cumulative buckets, by labels."""
    return f"histogram_quantile({q:g}, {summed_rate(f'le, {by}', buckets, window)})"


def grown(by: str, series: str, window: str, memory: str, up: str = "up") -> str:
    """Return by how much a counter of unwanted things grew, where it did.

    A counter that appears with its first count has no earlier value to grow from: its whole value is new. One that a
    scrape or two could not read is the same one as before: it was there at some time of the window before this one.
    So is one that says what it said within `memory`, where its target (`up`) could not be read in that window at all.
    """
    away = f"unless on (job, instance) (max_over_time({up}[{window}] offset {window}) == 1)"
    return (
        f"sum by ({by}) (increase({series}[{window}])) > 0\n"
        f"or\n"
        f"sum by ({by}) (\n"
        f"  {series}\n"
        f"  unless last_over_time({series}[{window}] offset {window})\n"
        f"  unless ({series} == last_over_time({series}[{memory}] offset {window}) {away})\n"
        f") > 0"
    )


def or_nothing(present: str, recorded: str, memory: str) -> str:
    """Return `present`, and 0 where it is gone though it was recorded within `memory`."""
    return f"(\n  {present}\n  or\n  last_over_time({recorded}[{memory}]) * 0\n)"


def bound(seconds: float) -> str:
    """Return the matcher of a bucket; a whole number may be written with or without its `.0`."""
    return rf'le=~"{seconds:.0f}(\\.0)?"' if seconds == int(seconds) else f'le="{seconds!r}"'
