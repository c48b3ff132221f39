"""A mail server that takes whatever it is given, without asking who gives it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import ClassVar


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much of SMTP as a program needs that sends a mail; safe to read from any thread."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        """Take a free port of 127.0.0.1; nothing is answered yet."""
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[EmailMessage] = []
        self.address = "127.0.0.1:{1}".format(*self.server_address)

    def subjects(self) -> list[str]:
        """Return the subject of each mail, in the order of arrival."""
        return [str(mail["Subject"]) for mail in list(self.mails)]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Answer inside of the block."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


class _Session(socketserver.StreamRequestHandler):
    server: MailServer
    answers: ClassVar = {b"DATA": b"354 go on", b"QUIT": b"221 bye"}

    def handle(self) -> None:
        self._say(b"220 here")
        for line in self.rfile:
            word = line[:4].upper()
            self._say(self.answers.get(word, b"250 well"))
            if word == b"DATA":
                self._take()
            elif word == b"QUIT":
                return

    def _take(self) -> None:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line.removeprefix(b"."))
        mail = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.server.mails.append(mail)
        self._say(b"250 taken")

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")
