"""Machines that run out of disk or memory."""

from __future__ import annotations

from typing import Final

from tests.alert_cases.model import QUIET, Case, Firing

AT: Final = 'job="node",instance="app:9100"'
DISK: Final = f'{AT},device="/dev/sda1",fstype="ext4",mountpoint="/"'
FREE: Final = f"node_filesystem_avail_bytes{{{DISK}}}"
SIZE: Final = f"node_filesystem_size_bytes{{{DISK}}}"
AVAILABLE: Final = f"node_memory_MemAvailable_bytes{{{AT}}}"
TOTAL: Final = f"node_memory_MemTotal_bytes{{{AT}}}"


def filling(share: str) -> Firing:
    return Firing(
        {"job": "node", "instance": "app:9100", "mountpoint": "/", "severity": "warning"},
        f"app:9100: / has {share} free",
        f"/ on app:9100 (node) has {share} free: less than 10%, or at the pace of the last hours it will be full "
        "within 24h.",
    )


def low(share: str) -> Firing:
    return Firing(
        {"job": "node", "instance": "app:9100", "severity": "warning"},
        f"app:9100: {share} of the memory is available",
        f"app:9100 (node) has {share} of its memory available; 10% is the limit.",
    )


CASES: Final = (
    Case(
        "fires",
        "fires under 10 %",
        "NodeDiskFilling",
        {FREE: "9x60", SIZE: "100x60"},
        {"14m": QUIET, "15m": [filling("9%")]},
    ),
    Case(
        "fires",
        "fires at 30 % when the disk will be full within a day",
        "NodeDiskFilling",
        {FREE: "48000-100x200", SIZE: "100000x200"},
        {"60m": QUIET, "180m": [filling("30%")]},
    ),
    Case(
        "just under",
        "is quiet at 11 % that stay",
        "NodeDiskFilling",
        {FREE: "11x400", SIZE: "100x400"},
        {"390m": QUIET},
    ),
    Case(
        "just under",
        "is quiet about memory disks and images, which are full by nature",
        "NodeDiskFilling",
        {
            series.replace('"/"', f'"/{kind}"').replace("ext4", kind): values
            for kind in ("tmpfs", "squashfs", "erofs", "iso9660", "udf")
            for series, values in ((FREE, "0x60"), (SIZE, "100x60"))
        },
        {"40m": QUIET},
    ),
    Case("no traffic", "is quiet on an idle disk", "NodeDiskFilling", {FREE: "80x60", SIZE: "100x60"}, {"40m": QUIET}),
    Case("missing series", "is quiet where a size is missing", "NodeDiskFilling", {FREE: "1x60"}, {"40m": QUIET}),
    Case(
        "recovers",
        "ends when space is freed",
        "NodeDiskFilling",
        {FREE: "5x30 60x30", SIZE: "100x60"},
        {"25m": [filling("5%")], "32m": QUIET},
    ),
    Case(
        "fires",
        "fires under 10 %",
        "NodeMemoryLow",
        {AVAILABLE: "9x30", TOTAL: "100x30"},
        {"4m": QUIET, "5m": [low("9%")]},
    ),
    Case("just under", "is quiet at 11 %", "NodeMemoryLow", {AVAILABLE: "11x30", TOTAL: "100x30"}, {"20m": QUIET}),
    Case(
        "no traffic",
        "is quiet on an idle machine",
        "NodeMemoryLow",
        {AVAILABLE: "90x30", TOTAL: "100x30"},
        {"20m": QUIET},
    ),
    Case("missing series", "is quiet where the total is missing", "NodeMemoryLow", {AVAILABLE: "1x30"}, {"20m": QUIET}),
    Case(
        "recovers",
        "ends when memory is given back",
        "NodeMemoryLow",
        {AVAILABLE: "5x15 50x15", TOTAL: "100x30"},
        {"10m": [low("5%")], "17m": QUIET},
    ),
)
