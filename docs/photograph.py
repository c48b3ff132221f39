"""Take the README's picture: `make pictures`. The real Prometheus page in a real browser while the shop serves traffic.

It needs Chromium on PATH (or named by `CHROMIUM`), and the page's own files where Prometheus looks for them: Debian's
looks in /usr/share/prometheus, which is there when the package is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from examples.shop.demo import Traffic
from tests.integration.test_shop import running_shop
from tests.services import prometheus
from tests.services.errors import ServiceError
from tests.services.prometheus import Prometheus
from tests.support import request

PICTURE: Final = Path(__file__).resolve().parent / "pictures" / "prometheus.png"
EXPRESSION: Final = "sum by (endpoint) (rate(http_requests_total[20s]))"
SECONDS: Final = 90
"""How long traffic runs before the picture: the time that it shows, and a little more."""
_CONFIG: Final = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs: [{{job_name: shop, static_configs: [{{targets: ["localhost:{port}"]}}]}}]
"""
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")


def browser() -> str:
    """Return the browser; raises ServiceError where there is none."""
    named = os.environ.get("CHROMIUM")
    found = [path for path in map(shutil.which, [named] if named else _BROWSERS) if path]
    if not found:
        raise ServiceError(f"no {named or 'Chromium'} on PATH: apt-get install chromium, or name one by CHROMIUM")
    return found[0]


def page(url: str) -> str:
    """Return the address of Prometheus' page with the graph; raises ServiceError where it cannot show it."""
    asked = {"g0.expr": EXPRESSION, "g0.tab": "0", "g0.range_input": "1m"}
    # The newer page where a Prometheus has it, else the older one, which is all that Debian's has.
    for path in ("/query", "/graph", "/classic/graph"):
        address = f"{url}{path}?{urlencode(asked)}"
        answer = request(address)
        if answer.status == 200 and "<html" in answer.text.lower():
            return address
    raise ServiceError(
        f"this Prometheus has no page: {answer.text.strip()}; apt-get install prometheus brings its files"
    )


def photographed(address: str, file: Path) -> None:
    """Save what the browser shows at an address; raises ServiceError with its words where that fails."""
    file.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        words = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1280,950", "--no-proxy-server"]
        words += [f"--user-data-dir={profile}", "--virtual-time-budget=10000", f"--screenshot={file}", address]
        done = subprocess.run([browser(), *words], capture_output=True, text=True, check=False, timeout=120)  # noqa: S603
    if done.returncode != 0 or not file.exists():
        raise ServiceError(f"the browser took no picture: {done.stderr[-500:]}")


def main() -> int:
    """Run everything; 1 and one line where something is missing."""
    over = threading.Event()
    try:
        browser()
        with tempfile.TemporaryDirectory() as name, running_shop(Path(name)) as shop:
            config = _CONFIG.format(port=shop.metrics_port)
            with Prometheus(prometheus.find()["prometheus"], config, Path(name) / "prometheus") as server:
                address = page(server.url)
                traffic = Traffic(shop.url, over)
                traffic.start()
                print(f"pictures: {SECONDS} seconds of traffic", flush=True)
                time.sleep(SECONDS)
                photographed(address, PICTURE)
                over.set()
                traffic.join()
    except ServiceError as error:
        print(f"pictures: {error}", file=sys.stderr)
        return 1
    finally:
        over.set()
    print(PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
