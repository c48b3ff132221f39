"""The folder that one Elasticsearch of the tests lives in: its copy of the program, its settings, its data.

The copy costs nothing (files of the same disk get a second name), may hold a plugin of ours, and can be reached by the
other user that the server runs as where we are root, since root's own folders are closed to everybody else.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.certificates import Certificates
from tests.processes import ROOT
from tests.services import commands, java

# For programs that run for a moment: what optimizes their code and verifies their classes is most of their start.
QUICK_START: Final = "-XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
_NOBODY: Final = 65534
# Lines of jvm.options that choose another collector, write big files, or name a module this server does not have.
_UNWANTED_OPTION: Final = re.compile(r"Xlog:gc|UseG1GC|HeapDump|arrow")
_PLUGIN: Final = ROOT / "tests" / "data" / "elasticsearch" / "EmailAnalysis.java"
_PLUGIN_DESCRIPTOR: Final = """\
name=email-analysis
description=What the index of API keys needs and a server without analysis-common lacks
version=1
classname=oteldistro.tests.EmailAnalysis
java.version=21
elasticsearch.version={version}
"""


class Place:
    """A folder with `home`, `config`, `data`, `logs` and `tmp`; all but the home belong to the server's user."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        """Make the folder, with the settings beside those of where things are.

        Raises ServiceError where no Java 21 is to be had.
        """
        self._java = java.home(home)
        self.folder = Path(tempfile.mkdtemp(prefix="elasticsearch-"))
        self.folder.chmod(0o755)
        self.home = self.folder / "home"
        shutil.copytree(home, self.home, copy_function=_link, ignore=shutil.ignore_patterns("logs"))
        for name in ("config", "data", "logs", "tmp"):
            (self.folder / name).mkdir()
        self._configure({**settings, "path.data": str(self.folder / "data"), "path.logs": str(self.folder / "logs")})

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command of one of its programs, as a user without rights where we are root: it refuses root."""
        command = [str(self.home / "bin" / program), *arguments]
        if os.geteuid() != 0:
            return command
        commands.need("setpriv", why="Elasticsearch does not run as root; it is part of util-linux")
        return ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", *command]

    def environment(self) -> dict[str, str]:
        """Return the folders and the Java that its programs look for."""
        folders = {"ES_PATH_CONF": str(self.folder / "config"), "ES_TMPDIR": str(self.folder / "tmp")}
        return {**folders, "ES_JAVA_HOME": str(self._java), "CLI_JAVA_OPTS": QUICK_START}

    def secure(self, certificates: Certificates, password: str) -> None:
        """Let it serve TLS as `server` of the certificates; `elastic` has the password, others get no answer."""
        config = self.folder / "config"
        shutil.copy(certificates.server.certificate, config / "server.pem")
        shutil.copy(certificates.server.key, config / "server.key")
        (config / "password").write_text(password)
        self._give_away()
        self._keystore("add-file", "--force", "bootstrap.password", str(config / "password"))  # makes the keystore, too
        if not (self.home / "modules" / "analysis-common").is_dir():
            self._add_plugin()

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _configure(self, settings: Mapping[str, str]) -> None:
        config = self.folder / "config"
        shutil.copy(self.home / "config" / "log4j2.properties", config)
        options = (self.home / "config" / "jvm.options").read_text().splitlines(keepends=True)
        (config / "jvm.options").write_text("".join(line for line in options if not _UNWANTED_OPTION.search(line)))
        (config / "elasticsearch.yml").write_text("".join(f"{name}: {value}\n" for name, value in settings.items()))
        self._give_away()

    def _keystore(self, *arguments: str) -> None:
        command = self.command("elasticsearch-keystore", *arguments)
        commands.run(*command, cwd=self.folder, env=self.environment(), seconds=120)

    def _add_plugin(self) -> None:
        libraries = self.home / "lib"
        version = next(libraries.glob("elasticsearch-core-*.jar")).stem.rpartition("-")[2]
        plugin = self.home / "plugins" / "email-analysis"
        plugin.mkdir(parents=True)
        (plugin / "plugin-descriptor.properties").write_text(_PLUGIN_DESCRIPTOR.format(version=version))
        with tempfile.TemporaryDirectory() as classes:
            java.compile_classes(self._java, _PLUGIN, f"{libraries}/*", Path(classes))
            with zipfile.ZipFile(plugin / "email-analysis.jar", "w") as jar:
                for file in Path(classes).rglob("*.class"):
                    jar.write(file, file.relative_to(classes))

    def _give_away(self) -> None:
        if os.geteuid() == 0:
            for name in ("config", "data", "logs", "tmp"):
                for path in (self.folder / name, *(self.folder / name).rglob("*")):
                    os.chown(path, _NOBODY, _NOBODY)


def _link(source: str, target: str) -> None:
    """Give the file a second name, or copy it where the folders are on different disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
