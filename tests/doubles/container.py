"""The Dockerfile carried out without a container engine, and its image run as Kubernetes would run it.

This machine's system, the Python that runs the tests, and its pip stand in for the base image. Whatever they are called
here, they are `python` and `python -m pip` there. The kernel isolates what runs: a mount namespace with a root of its
own, another user, no capabilities, no new privileges. It needs Linux and root. Not covered: cgroups, seccomp, and the
layers of a real image.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from simulator.processes import ROOT, Running
from tests.wire.deliverer import send

START_SECONDS: Final = 30.0
_BASE: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "opt", "dev", "proc")
_PYTHON: Final = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
_PIP: Final = find_spec("pip")
_PATH: Final = f"/python/bin:{_PYTHON.parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# $1 is the new root; then come triples of source, target and ro, rw or tmpfs; after -- what is to be run.
_ENTER: Final = """
root=$1; shift
mount -t tmpfs -o mode=755 tmpfs "$root"
for name in $BASE; do
  if [ -L "/$name" ]; then cp -P "/$name" "$root/$name"
  elif [ -d "/$name" ]; then
    mkdir "$root/$name"
    mount --rbind "/$name" "$root/$name"
    case $name in dev | proc) ;; *) mount -o remount,bind,ro "$root/$name" ;; esac
  fi
done
while [ "$1" != -- ]; do
  mkdir -p "$root$2"
  if [ "$3" = tmpfs ]; then mount -t tmpfs -o "$1" tmpfs "$root$2"
  else mount --bind "$1" "$root$2"; mount -o "remount,bind,$3" "$root$2"
  fi
  shift 3
done
shift
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
"""


class Instruction(NamedTuple):
    """One instruction of a Dockerfile, its continued lines joined."""

    keyword: str
    value: str


@dataclass(frozen=True, slots=True)
class Mount:
    """What is mounted where: a directory, read-only or not, or an empty file system with these options."""

    source: Path | str
    target: str
    kind: str = "ro"


@dataclass(slots=True)
class Image:
    """The result of a stage: the files that it adds to the base, and how they are run.

    `python` is the directory that adds `python` and pip to this machine's system.
    """

    files: Path
    python: Path
    # An engine's HOME for a user whom the base does not know.
    env: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH, "HOME": "/"})
    workdir: str = "/"
    command: list[str] = field(default_factory=list)

    def mounts(self, kind: str) -> list[Mount]:
        """The base's Python, and the files, each top directory mounted on the base."""
        python = [Mount(sys.base_prefix, sys.base_prefix), Mount(self.python, "/python")]
        return python + [Mount(top, f"/{top.name}", kind) for top in sorted(self.files.iterdir())]


def read_dockerfile(text: str) -> list[list[Instruction]]:
    """The stages; the instructions before the first FROM come first, as a stage of their own."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    stages: list[list[Instruction]] = [[]]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        keyword, *words = line.split()
        if keyword == "FROM":
            stages.append([])
        stages[-1].append(Instruction(keyword, " ".join(words)))
    return stages


STAGES: Final = read_dockerfile((ROOT / "Dockerfile").read_text())


def context() -> list[Path]:
    """The files that an engine would be given, relative to the repository."""
    found: list[Path] = []
    for directory, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name[0] != "."]  # caches, .git and .venv: large, and no rule names them
        found += [Path(directory, name).relative_to(ROOT) for name in names]
    return sorted(path for path in found if not ignored(path))


def ignored(path: Path) -> bool:
    """Whether .dockerignore keeps a file out: the last rule that fits it decides."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and line[0] != "#"]
    fitting = [rule for rule in rules if _pattern(rule.removeprefix("!")).fullmatch(str(path))]
    return bool(fitting) and not fitting[-1].startswith("!")


def _pattern(rule: str) -> re.Pattern[str]:
    """A rule also matches what is below that which it names."""
    return re.compile(re.escape(rule).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*") + "(/.*)?")


def build(directory: Path) -> Image:
    """Carry out the Dockerfile in an empty directory.

    Raises:
        CalledProcessError: a RUN failed; its output went to ours.
        NotImplementedError: an instruction is none that this knows.
    """
    stages: dict[str, Image] = {}
    python = _python(directory / "python")
    for number, instructions in enumerate(STAGES[1:]):
        named = re.search(r" AS (\S+)$", instructions[0].value)
        image = Image(directory / f"stage-{number}", python)
        image.files.mkdir()
        stages[named[1] if named else str(number)] = image
        for instruction in instructions[1:]:
            _carry_out(instruction, image, stages, directory)
    return image


def _python(directory: Path) -> Path:
    (directory / "bin").mkdir(parents=True)
    (directory / "bin" / "python").symlink_to(_PYTHON)
    if _PIP and _PIP.origin:
        shutil.copytree(Path(_PIP.origin).parent, directory / "lib" / "pip")
    return directory


def _carry_out(instruction: Instruction, image: Image, stages: Mapping[str, Image], scratch: Path) -> None:
    value = instruction.value
    match instruction.keyword:
        case "WORKDIR":
            image.workdir = value
            _inside(image, value).mkdir(parents=True, exist_ok=True)
        case "COPY":
            _copy(value.split(), image, stages)
        case "RUN":
            # How this machine reaches its package index, as a build's network and arguments would have it.
            index = {name: setting for name, setting in os.environ.items() if re.match("PIP_|SSL_CERT_", name)}
            env = {**index, "PYTHONPATH": "/python/lib", **image.env}
            mounts = [Mount("mode=1777", "/tmp", "tmpfs"), *image.mounts("rw")]
            command = enter(scratch, mounts, image.workdir, ["/bin/sh", "-c", value], env=env)
            subprocess.run(command, env=_outside(), check=True, timeout=110)
        case "ENV":
            for pair in value.split():
                name, _, setting = pair.partition("=")
                image.env[name] = setting.replace("$PATH", image.env["PATH"])
        case "CMD":
            image.command = json.loads(value)
        case "EXPOSE" | "USER":  # the user is whom `run_image` is told
            pass
        case _:
            raise NotImplementedError(instruction)


def _copy(words: Sequence[str], image: Image, stages: Mapping[str, Image]) -> None:
    *flags, source, target = words
    into = _inside(image, target)
    match flags:
        case [flag]:
            shutil.copytree(_inside(stages[flag.removeprefix("--from=")], source), into, symlinks=True)
        case []:
            copied = [path for path in context() if path == Path(source) or Path(source) in path.parents]
            assert copied, f".dockerignore keeps {source} out"
            for path in copied:
                to = into / path.relative_to(source)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, to)
                to.chmod(0o600)  # as a checkout under umask 077 has it
                to.parent.chmod(0o700)
        case _:
            raise NotImplementedError(words)


def _inside(image: Image, path: str) -> Path:
    return image.files / os.path.join(image.workdir, path).lstrip("/")  # noqa: PTH118  # an absolute path wins


def _outside() -> dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "BASE": " ".join(_BASE)}


def enter(
    scratch: Path,
    mounts: Sequence[Mount],
    workdir: str,
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    privileges: Sequence[str] = (),
) -> list[str]:
    """The command line that runs a command inside, with exactly this environment; the caller's must be `_outside`."""
    root = scratch / "root"
    root.mkdir(exist_ok=True)
    triples = [str(word) for mount in mounts for word in (mount.source, mount.target, mount.kind)]
    own = [f"{name}={setting}" for name, setting in env.items()]
    inside = ["setpriv", *privileges, "env", "--ignore-environment", f"--chdir={workdir}", *own, *command]
    return ["unshare", "--mount", "sh", "-euc", _ENTER, "sh", str(root), *triples, "--", *inside]


def drop_privileges(context: Mapping[str, Any]) -> list[str]:
    """A container's securityContext as setpriv has it."""
    privileges = [f"--reuid={context['runAsUser']}", f"--regid={context['runAsGroup']}", "--clear-groups"]
    if "ALL" in context["capabilities"]["drop"]:
        privileges += ["--bounding-set=-all", "--inh-caps=-all"]
    if not context["allowPrivilegeEscalation"]:
        privileges += ["--no-new-privs"]
    return privileges


@contextmanager
def run_image(
    image: Image, scratch: Path, *, env: Mapping[str, str], mounts: Sequence[Mount], privileges: Sequence[str]
) -> Iterator[Running]:
    """The image's command, with its environment and this on top, until the block ends; its files are read-only.

    Raises:
        RuntimeError: it did not come up; the message holds its output.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {**image.env, **env, "PORT": str(port)}
    inside = [*image.mounts("ro"), *mounts]
    command = enter(scratch, inside, image.workdir, image.command, env=settings, privileges=privileges)
    log = scratch / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=_outside(), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    running = Running(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait(running)
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(running: Running) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if running.process.poll() is not None:
            raise RuntimeError(f"exit {running.process.returncode} at start:\n{running.output}")
        try:
            if send(running.url, method="GET", path="/health", timeout=1).status == 200:
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"not up after {START_SECONDS} s:\n{running.output}")


def why_not() -> str | None:
    """Why nothing can be run inside on this machine; None if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "it takes Linux and root to have another root directory and user"
    if not _PIP:
        return "the Dockerfile installs with pip, and this environment has none"
    tried = subprocess.run(["unshare", "--mount", "setpriv", "--no-new-privs", "true"], capture_output=True)
    return f"no namespaces here: {tried.stderr.decode().strip()}" if tried.returncode else None
