"""Whether a text names log files or an Elasticsearch."""

from __future__ import annotations

import os
import re
from typing import Final

from otel_distro.errors import InputError

_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_HOST: Final = re.compile(r"(?:\w(?:[\w.-]*\w)?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?", re.ASCII)
_LOG_NAME: Final = re.compile(r"\.(?:log|json|jsonl|ndjson|gz)(?:[.-]\d[\d_T:-]*)?$", re.IGNORECASE)


def is_local(where: str | os.PathLike[str]) -> bool:
    """Return whether `where` names log files (True) or an Elasticsearch (False); the first rule that fits decides.

    1. A path object is files.
    2. `http://…` and `https://…` are Elasticsearch.
    3. A host in brackets, `[::1]:9200`, is Elasticsearch.
    4. What has a `/` (or the system's separator) or one of `*?[` is files: `logs/app`, `./x`, `app*`.
    5. What ends like a log file is files, also rotated: `app.log`, `app.log.1`, `old.ndjson`, `app.log.2.gz`.
    6. What exists is files; a folder as well, so that its error names the mend.
    7. A host name with or without a port is Elasticsearch: `localhost:9200`, `es.internal`, `C`.

    Raises:
        InputError: none fits: an empty text, another scheme, a port above 65535.
    """
    if isinstance(where, os.PathLike):
        return True
    if not isinstance(where, str) or not where.strip() or "\0" in where:
        raise InputError(f"{where!r} names no logs; give a path or glob of log files, or host:port of an Elasticsearch")
    if url := _URL.match(where):
        if url["scheme"].lower() in ("http", "https"):
            return False
        raise InputError(f"{where!r} has a scheme that is not http or https; give a plain path for files")
    host = _HOST.fullmatch(where)
    if where.startswith("[") and host:
        return False
    if os.sep in where or any(character in where for character in "/*?[") or _LOG_NAME.search(where):
        return True
    if os.path.exists(where):
        return True
    if host and int(host["port"] or 0) <= 65535:
        return False
    raise InputError(f"{where!r} is neither a log file that exists nor host:port of an Elasticsearch")
