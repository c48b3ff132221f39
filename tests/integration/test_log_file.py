"""Logs of real processes: several in one file, rotated, on full disks, forked; and the console stays what it was."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.processes import AppProcess, clean_environment

SET_UP = """
import logging, os, sys
if os.environ.get("OTEL_DISTRO_LOG_FILE"):
    from otel_distro.logs.setup import configure_logging
    from otel_distro.settings import Settings
    configure_logging(Settings.current())
"""

# Says on stdout what it has written, as an account of its own: number and checksum of each line's payload. Where it is
# given the path of a file it goes on until there is that file: who rotates meanwhile may be slower than it is.
WRITER = """
import itertools, random, zlib
worker, lines, size = map(int, sys.argv[1:4])
logger = logging.getLogger("writer")
picker = random.Random(worker)
for number in itertools.count():
    if number >= lines and all(map(os.path.exists, sys.argv[4:])):
        break
    payload = "".join(picker.choices("abcdefghij", k=16)) * (size // 16)
    logger.info("line", extra={"worker": worker, "number": number, "payload": payload})
    print(worker, number, zlib.crc32(payload.encode()), flush=True)
"""


def program(folder: Path, *parts: str) -> Path:
    path = folder / "program.py"
    path.write_text(SET_UP + "".join(map(textwrap.dedent, parts)))
    return path


def run(path: Path, *arguments: object, **env: object) -> tuple[str, str]:
    """Run a program to its good end and return its stdout and stderr."""
    with AppProcess(
        ["python", path, *map(str, arguments)], {name: str(value) for name, value in env.items()}
    ) as process:
        assert process.wait() == 0, process.output
        return process.stdout, process.stderr


def read(*paths: Path) -> list[dict[str, Any]]:
    """Read every line of the files as strictly as a collector does."""
    documents = []
    for path in paths:
        text = path.read_bytes()
        assert text.endswith(b"\n") or not text
        documents += [json.loads(line) for line in text.split(b"\n")[:-1]]
    return documents


def messages(path: Path) -> list[str]:
    return [document["message"] for document in read(path)]


def written(documents: list[dict[str, Any]]) -> list[tuple[int, int, int]]:
    return sorted((each["worker"], each["number"], zlib.crc32(each["payload"].encode())) for each in documents)


def account(*outputs: str) -> list[tuple[int, int, int]]:
    entries = [tuple(map(int, line.split())) for output in outputs for line in output.splitlines()]
    return sorted((worker, number, checksum) for worker, number, checksum in entries)


@pytest.mark.parametrize(("lines", "size"), [(2000, 100), (150, 100_000), (15, 1_000_000)])
def test_four_processes_write_one_file_without_a_torn_line(tmp_path: Path, lines: int, size: int) -> None:
    file, script = tmp_path / "x.log", program(tmp_path, WRITER)
    env = {"OTEL_DISTRO_LOG_FILE": str(file)}
    writers = [AppProcess(["python", script, str(worker), str(lines), str(size)], env) for worker in range(4)]
    try:
        assert [writer.wait() for writer in writers] == [0] * 4
        outputs = [writer.stdout for writer in writers]
    finally:
        for writer in writers:
            writer.close()
    documents = read(file)
    assert len(documents) == 4 * lines
    assert written(documents) == account(*outputs)
    assert len({each["log_id"] for each in documents}) == 4 * lines


@pytest.mark.parametrize("create", [True, False], ids=["create", "nocreate"])
def test_rotation_by_renaming_loses_and_tears_nothing(tmp_path: Path, create: bool) -> None:
    file, enough, script = tmp_path / "x.log", tmp_path / "enough", program(tmp_path, WRITER)
    env = {"OTEL_DISTRO_LOG_FILE": str(file)}
    rotated: list[Path] = []
    writers = [AppProcess(["python", script, str(worker), "4000", "1000", enough], env) for worker in range(2)]
    try:
        while any(writer.running for writer in writers):
            if file.exists() and file.stat().st_size:
                rotated.append(tmp_path / f"x.log.{len(rotated)}")
                file.rename(rotated[-1])
                if create:
                    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o640))
            if len(rotated) > 3:
                enough.touch()
            time.sleep(0.01)
        assert [writer.wait() for writer in writers] == [0, 0]
        outputs = [writer.stdout for writer in writers]
    finally:
        for writer in writers:
            writer.close()
    assert len(rotated) > 3
    assert written(read(*rotated, *[file] * file.exists())) == account(*outputs)


def test_rotation_by_copying_and_truncating_leaves_whole_lines_and_no_holes(tmp_path: Path) -> None:
    file, enough, script = tmp_path / "x.log", tmp_path / "enough", program(tmp_path, WRITER)
    copies: list[Path] = []
    between: set[int] = set()
    with AppProcess(["python", script, "0", "8000", "1000", enough], {"OTEL_DISTRO_LOG_FILE": str(file)}) as writer:
        while writer.running:
            if file.exists() and file.stat().st_size:
                copies.append(tmp_path / f"x.log.{len(copies)}")
                before = writer.stdout.count("\n")
                shutil.copyfile(file, copies[-1])
                os.truncate(file, 0)
                # One more than it has said: it says so after it has written.
                between.update(range(before, writer.stdout.count("\n") + 1))
            if len(copies) > 3:
                enough.touch()
            time.sleep(0.01)
        assert writer.wait() == 0
        known = set(account(writer.stdout))
    assert len(copies) > 3
    assert b"\0" not in file.read_bytes()
    # What is written between the copy and the truncation is lost to this way of rotating, and the copy may end within
    # a line; no line is there twice, and none but a copy's last is torn.
    found = []
    for copy in copies:
        whole = copy.read_bytes().split(b"\n")[:-1]
        found += [json.loads(line) for line in whole]
    found += read(file)
    assert len(written(found)) == len(set(written(found)))
    assert set(written(found)) <= known
    assert {number for _, number, _ in known - set(written(found))} <= between


def test_a_full_disk_is_one_warning_and_the_program_ends_well(tmp_path: Path) -> None:
    script = program(tmp_path, "for n in range(100): logging.getLogger('a').info('line %s', n)\nprint('done')\n")
    out, err = run(script, OTEL_DISTRO_LOG_FILE="/dev/full")
    assert out == "done\n"
    assert len(err.splitlines()) == 1
    assert "'/dev/full' cannot be written" in err


def test_a_file_that_cannot_be_opened_is_one_warning_and_the_program_ends_well(tmp_path: Path) -> None:
    script = program(tmp_path, "for n in range(100): logging.getLogger('a').info('line %s', n)\nprint('done')\n")
    out, err = run(script, OTEL_DISTRO_LOG_FILE=script / "x.log")
    assert out == "done\n"
    assert len(err.splitlines()) == 1
    assert "cannot be opened" in err


def test_a_line_that_a_full_disk_tears_is_isolated_and_counted(tmp_path: Path) -> None:
    # A limit of the file's size gives what a full disk gives: a short write, then an error.
    script = program(
        tmp_path,
        """
        import resource
        from otel_distro.logs.setup import dropped_lines
        logger, limits = logging.getLogger("a"), resource.getrlimit(resource.RLIMIT_FSIZE)
        for period in range(2):
            size = os.stat(os.environ["OTEL_DISTRO_LOG_FILE"]).st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2500, limits[1]))
            for n in range(10):
                logger.info("full %s", n, extra={"payload": "x" * 400})
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            for n in range(3):
                logger.info("free %s", n)
        print(dropped_lines())
        """,
    )
    file = tmp_path / "x.log"
    out, err = run(script, OTEL_DISTRO_LOG_FILE=file)
    lines = file.read_bytes().split(b"\n")
    assert lines.pop() == b""
    whole, torn = [], []
    for line in lines:
        try:
            whole.append(json.loads(line)["message"])
        except ValueError:
            torn.append(line)
    assert len(torn) == 2
    assert all(line.startswith(b'{ "timestamp"') for line in torn)
    assert [message for message in whole if message.startswith("free")] == ["free 0", "free 1", "free 2"] * 2
    kept = sum(message.startswith("full") for message in whole)
    # Two periods, two warnings on the console; they are lines of the file too, and lost like the others.
    assert int(out) == 20 - kept + 2
    assert [("cannot be written" in line, "rotate the file" in line) for line in err.splitlines()] == [(True, True)] * 2


def test_a_disk_that_another_process_found_full_first_glues_no_lines(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    script = program(
        tmp_path,
        """
        import resource
        logger, limits = logging.getLogger("a"), resource.getrlimit(resource.RLIMIT_FSIZE)
        logger.info("first")
        child = os.fork()
        if not child:
            # Tears a line and ends without ever having written again.
            size = os.stat(os.environ["OTEL_DISTRO_LOG_FILE"]).st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
            logger.info("torn")
            os._exit(0)
        os.waitpid(child, 0)
        size = os.stat(os.environ["OTEL_DISTRO_LOG_FILE"]).st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        logger.info("lost")
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        logger.info("last")
        """,
    )
    run(script, OTEL_DISTRO_LOG_FILE=file)
    first, torn, last = file.read_bytes().splitlines()
    assert (json.loads(first)["message"], json.loads(last)["message"]) == ("first", "last")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(torn)


def test_parent_and_forked_children_have_different_log_ids(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    script = program(
        tmp_path,
        """
        logger = logging.getLogger("a")
        logger.info("before")
        for _ in range(3):
            if not os.fork():
                for n in range(50): logger.info("child")
                os._exit(0)
        for n in range(50): logger.info("parent")
        for _ in range(3): os.wait()
        """,
    )
    run(script, OTEL_DISTRO_LOG_FILE=file)
    documents = read(file)
    assert len(documents) == 201
    assert len({each["log_id"] for each in documents}) == 201
    assert len({each["log_id"][:20] for each in documents}) == 4


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_records_that_workers_send_to_the_parent_are_in_the_file_once(tmp_path: Path, method: str) -> None:
    # The recipe of Python's logging cookbook: workers have a QueueHandler, the parent handles what they send.
    file = tmp_path / "x.log"
    script = program(
        tmp_path,
        f"""
        import logging.handlers, multiprocessing
        def work(queue, worker):
            root = logging.getLogger()
            root.addHandler(logging.handlers.QueueHandler(queue))
            root.setLevel(logging.INFO)
            for n in range(20): logging.getLogger("w").info("line %s of %s", n, worker)
        if __name__ == "__main__":
            made = multiprocessing.get_context("{method}")
            queue = made.Queue()
            workers = [made.Process(target=work, args=(queue, worker)) for worker in range(2)]
            for worker in workers: worker.start()
            logging.basicConfig(format="%(message)s", stream=sys.stdout)
            for _ in range(40):
                record = queue.get(timeout=30)
                logging.getLogger(record.name).handle(record)
            for worker in workers: worker.join()
        """,
    )
    with_file, err = run(script, OTEL_DISTRO_LOG_FILE=file)
    without, _ = run(script)
    assert (sorted(with_file.splitlines()), err) == (sorted(without.splitlines()), "")
    assert sorted(messages(file)) == sorted(with_file.splitlines())
    assert len(with_file.splitlines()) == 40


def test_what_is_logged_while_the_program_ends_is_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    script = program(
        tmp_path,
        """
        import atexit, threading
        def last():
            logging.shutdown()
            logging.getLogger("a").info("at exit")
        atexit.register(last)
        class Gone:
            def __del__(self): logging.getLogger("a").info("deleted")
        kept = Gone()
        threading.Thread(target=lambda: logging.getLogger("a").info("thread")).start()
        raise SystemExit(0)
        """,
    )
    _, err = run(script, OTEL_DISTRO_LOG_FILE=file)
    assert err == ""
    assert set(messages(file)) >= {"thread", "at exit"}


STANDARD = """
for number in range(100):
    print("printed", number, flush=True)
    logging.getLogger("a").info("logged %d", number)
"""


@pytest.mark.parametrize("path", ["/dev/stdout", "/proc/self/fd/1"])
def test_standard_output_that_is_redirected_into_a_file_has_every_line_and_all_that_is_printed(
    tmp_path: Path, path: str
) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file:
        command = [sys.executable, str(program(tmp_path, STANDARD))]
        env = clean_environment({"OTEL_DISTRO_LOG_FILE": path})
        done = subprocess.run(command, env=env, stdout=file, stderr=subprocess.PIPE, check=True, timeout=60)
    assert done.stderr == b""
    assert_printed_and_logged(out.read_text())


def test_standard_output_that_is_a_socket_gets_every_line(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    with ours, theirs:
        command = [sys.executable, str(program(tmp_path, STANDARD))]
        env = clean_environment({"OTEL_DISTRO_LOG_FILE": "/dev/stdout"})
        process = subprocess.Popen(command, env=env, stdout=theirs.fileno(), stderr=subprocess.PIPE)
        theirs.close()
        out = b"".join(iter(lambda: ours.recv(65_536), b""))
        assert process.communicate(timeout=60)[1] == b""
    assert_printed_and_logged(out.decode())


def assert_printed_and_logged(text: str) -> None:
    lines = text.splitlines()
    assert lines[::2] == [f"printed {number}" for number in range(100)]
    assert [json.loads(line)["message"] for line in lines[1::2]] == [f"logged {number}" for number in range(100)]


LOG_ALL = """
def log_all(name=None):
    for level in (10, 20, 30, 40):
        logging.getLogger(name).log(level, "%s %s", name, level)
"""
FLASK = """
import threading, urllib.request
from flask import Flask
from werkzeug.serving import make_server
app = Flask("shop")
@app.get("/")
def index():
    app.logger.debug("debug"); app.logger.info("info"); app.logger.warning("warning")
    return "ok"
@app.get("/fail")
def fail():
    raise ValueError("wrong")
def serve():
    server = make_server("127.0.0.1", 0, app)
    threading.Thread(target=server.serve_forever, args=(0.05,)).start()
    for path in ("/", "/fail", "/none"):
        try: urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}").read()
        except urllib.error.HTTPError as error: error.close()
    server.shutdown()
    server.server_close()
"""
WHOLE = {"None 20", "None 30", "None 40", "a.b 20", "a.b 30", "a.b 40"}
REQUESTS = {"info", "warning", "Exception on /fail [GET]"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("log_all(); log_all('a.b')", WHOLE),
        ("logging.basicConfig(); log_all(); log_all('a.b')", WHOLE),
        ("logging.basicConfig(level=logging.DEBUG); log_all(); log_all('a.b')", WHOLE),
        ("logging.basicConfig(level=logging.ERROR); log_all(); log_all('a.b')", {"None 40", "a.b 40"}),
        ("logging.basicConfig(force=True, stream=sys.stdout); log_all(); log_all('a.b')", WHOLE),
        ("logging.warning('hello'); log_all(); log_all('a.b')", {*WHOLE, "hello"}),
        ("logging.getLogger('a').setLevel(10); logging.basicConfig(); log_all(); log_all('a.b')", {*WHOLE}),
        (
            (
                "logging.getLogger('a').propagate = False; logging.getLogger('a').addHandler(logging.StreamHandler())\n"
                "log_all(); log_all('a.b')"
            ),
            WHOLE,
        ),
        (
            (
                "import logging.config\n"
                "logging.getLogger('old')\n"
                "logging.config.dictConfig({'version': 1,\n"
                " 'formatters': {'f': {'format': '%(levelname)s:%(message)s'}},\n"
                " 'handlers': {'h': {'class': 'logging.StreamHandler', 'formatter': 'f'}},\n"
                " 'loggers': {'a': {'handlers': ['h'], 'propagate': False}}})\n"
                "log_all(); log_all('a.b'); log_all('old')"
            ),
            WHOLE,
        ),
        (
            (
                "import logging.config\n"
                "logging.config.dictConfig({'version': 1, 'handlers': {'h': {'class': 'logging.StreamHandler'}},\n"
                " 'root': {'level': 'DEBUG', 'handlers': ['h']}})\n"
                "log_all(); log_all('a.b')"
            ),
            WHOLE,
        ),
        (
            "logging.basicConfig(); logging.disable(30); log_all(); log_all('a.b'); logging.disable(0)",
            {"None 40", "a.b 40"},
        ),
        ("import warnings; logging.captureWarnings(True); warnings.warn('careful'); log_all()", None),
        ("logging.error('bad %d', 'x'); logging.getLogger('a').error(object)", None),
        (FLASK + "serve()", REQUESTS),
        (FLASK + "app.debug = True; serve()", {"info", "warning", "Error on request:"}),
        (FLASK + "logging.basicConfig(); serve()", REQUESTS),
        (FLASK + "logging.basicConfig(level=20, stream=sys.stdout); serve()", REQUESTS),
        (FLASK + "app.logger.setLevel(20); serve()", REQUESTS),
    ],
)
def test_the_console_is_left_alone(tmp_path: Path, code: str, expected: set[str] | None) -> None:
    file = tmp_path / "x.log"
    script = program(tmp_path, LOG_ALL, code)
    with_file = [shown(each) for each in run(script, OTEL_DISTRO_LOG_FILE=file)]
    without = [shown(each) for each in run(script)]
    assert with_file == without
    got = messages(file)
    if expected is not None:
        assert {each.split("\n")[0] for each in got if "HTTP/1.1" not in each} == expected
    assert len(got) == len(set(got)) > 0
    if code.startswith(FLASK):
        assert sum("HTTP/1.1" in each for each in got) == 3


def shown(text: str) -> str:
    """Return console output without what differs from run to run: times and addresses."""
    text = re.sub(r"\d\d/\w{3}/\d{4} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "TIME", text)
    return re.sub(r"0x[0-9a-f]+", "0x", text)
