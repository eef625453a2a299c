"""A real Spark standalone cluster on one machine: every node is a network namespace of its own, on a bridge in yet another one.

The workers see neither the checkout nor the driver's virtual environment: in their mount namespaces the checkout is an empty folder, and
the environment lies under another path. Workers that are `apart` share no folder at all. Master, workers, driver node and the node of a
store can be killed, cut off and healed. The host's own network is left alone. Needs root, `ip` and `unshare`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUBNET = "10.77.0"
MASTER_PORT = 7077


def lacking() -> str | None:
    """Why no such cluster can be raised here; None when it can."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    missing = [program for program in ("ip", "unshare", "mount", "java") if shutil.which(program) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    made = subprocess.run(["ip", "netns", "add", "talkvid-probe"], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", "talkvid-probe"], capture_output=True, check=False)
    return None if made.returncode == 0 else f"cannot make network namespaces: {made.stderr.strip()}"


def address(node: str) -> str:
    """A node's address: `m` the master, `d` the driver's, `s` a store's, `w1`, `w2`, … the workers."""
    return f"{SUBNET}.{ {'m': 10, 'd': 2, 's': 3}.get(node) or 10 + int(node[1:]) }".replace(" ", "")


@dataclass
class Cluster:
    """A master, `workers` workers of `cores` cores and `memory`, with `gpus` fake GPUs each, a node for drivers, and one for a store.

    `folder` holds logs, work and the fake discovery script. `master_options` and `worker_options` are Java options of the daemons,
    `worker_environment` is theirs and their executors', `environment` everybody's. On the nodes of `broken_python` Python ends at once
    with status 1. Workers that are `apart` have a temporary folder of their own, with nothing in it but their work; a worker that is
    started again finds it empty.
    """

    folder: Path
    workers: int = 2
    cores: int = 2
    memory: str = "3g"
    gpus: int = 0
    discovery: Path | None = None
    master_options: str = ""
    worker_options: str = ""
    worker_environment: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    broken_python: frozenset[str] = frozenset()
    apart: bool = False
    name: str = field(default_factory=lambda: f"tv{os.getpid()}")
    _daemons: list[subprocess.Popen] = field(default_factory=list)

    @property
    def nodes(self) -> list[str]:
        """All nodes."""
        return ["m", "d", "s", *self.worker_nodes]

    @property
    def worker_nodes(self) -> list[str]:
        """The workers."""
        return [f"w{i + 1}" for i in range(self.workers)]

    @property
    def master(self) -> str:
        """The master's address for `--master`."""
        return f"spark://{address('m')}:{MASTER_PORT}"

    @property
    def worker_env(self) -> Path:
        """Where the workers see the Python environment."""
        return self.folder / "env"

    @property
    def python(self) -> str:
        """The workers' Python, for spark.pyspark.python."""
        return str(self.worker_env / "bin" / "python")

    def __enter__(self) -> "Cluster":
        try:
            self._raise()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.down()

    def _raise(self) -> None:
        for name in ("logs", "work", "env", "conf"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        shutil.copytree(ROOT / "cluster" / "standalone", self.folder / "standalone", dirs_exist_ok=True)
        if self.gpus and self.discovery is None:
            self.discovery = self.folder / "gpus.sh"
            listed = ",".join(f'"{i}"' for i in range(self.gpus))
            self.discovery.write_text(f'#!/bin/sh\necho \'{{"name":"gpu","addresses":[{listed}]}}\'\n')
            self.discovery.chmod(0o755)
        switch = self._namespace("sw")
        _ip("netns", "add", switch)
        _ip("-n", switch, "link", "add", "br0", "type", "bridge")
        _ip("-n", switch, "link", "set", "br0", "up")
        for node in self.nodes:
            space = self._namespace(node)
            _ip("netns", "add", space)
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", switch, "link", "add", f"p-{node}", "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("-n", switch, "link", "set", f"p-{node}", "master", "br0", "up")
            _ip("-n", space, "addr", "add", f"{address(node)}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")
            etc = Path("/etc/netns", space)
            etc.mkdir(parents=True, exist_ok=True)
            known = "".join(f"{address(other)} {self._namespace(other)}\n" for other in self.nodes)
            (etc / "hosts").write_text("127.0.0.1 localhost\n" + known)
        self.start("m")
        for node in self.worker_nodes:
            self.start(node)
        self.await_workers(self.workers)

    def _namespace(self, node: str) -> str:
        return f"{self.name}-{node}"

    def inside(self, node: str) -> tuple[str, ...]:
        """Words before a program that shall run in a node's network and see all folders of this machine."""
        return ("ip", "netns", "exec", self._namespace(node))

    def start(self, node: str) -> None:
        """Start the Spark daemon of a node."""
        python = self.python if node.startswith("w") else sys.executable
        scripts = self.folder / "standalone"
        if node == "m":
            words = [str(scripts / "start-master.sh"), "--foreground", "--host", address("m"), "--port", str(MASTER_PORT)]
            options = {"SPARK_DAEMON_JAVA_OPTS": self.master_options}
        else:
            words = [str(scripts / "start-worker.sh"), "--foreground", self.master, "--host", address(node), "--cores", str(self.cores)]
            words += ["--memory", self.memory, "--gpus", str(self.gpus), "--work-dir", str(self.folder / "work" / node)]
            options = {"SPARK_WORKER_OPTS": self.worker_options, "TALKVID_GPUS": str(self.discovery)} | dict(self.worker_environment)
        if node in self.broken_python:
            options["SPARK_HOME"] = str(self.worker_env / Path(_pyspark_folder()).relative_to(sys.prefix))
        with open(self.folder / "logs" / f"{node}.log", "ab") as log:
            environment = {"SPARK_DAEMON_MEMORY": "256m", "TALKVID_PYTHON": python, **options}
            self._daemons.append(self.popen(node, words, env=environment, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL))

    def popen(self, node: str, words: Sequence[str], env: Mapping[str, str] | None = None, **options: object) -> subprocess.Popen:
        """A program on a node: its own network and host name; on workers no checkout."""
        steps = ["set -e", f"hostname {self._namespace(node)}"]
        if node.startswith("w"):
            steps += self._own_folders(node) if self.apart else [f"mount --bind {_environment()} {self.worker_env}"]
            steps += [f"mount -t tmpfs none {ROOT}"]
            if node in self.broken_python:
                broken = self.folder / "broken-python"
                broken.write_text("#!/bin/sh\nexit 1\n")
                broken.chmod(0o755)
                link = (self.worker_env / "bin" / "python").resolve()
                steps += [f"mount --bind {broken} {link}"]
        steps += ["cd /", 'exec "$@"']
        inside = [*self.inside(node), "unshare", "--uts", "--mount", "sh", "-c", "; ".join(steps), "sh", *words]
        own = {"SPARK_LOCAL_IP": address(node), "SPARK_PUBLIC_DNS": address(node), "SPARK_CONF_DIR": str(self.folder / "conf")}
        return subprocess.Popen(inside, env=_clean_environment() | own | dict(self.environment) | dict(env or {}), **options)

    def _own_folders(self, node: str) -> list[str]:
        """Commands that give a worker a temporary folder of its own, in which only its work, Spark's settings and scripts, and the
        Python environment lie where they lie on this machine."""
        everybodys = Path(tempfile.gettempdir())
        own = self.folder / "own" / node
        seen = {self.folder / name: self.folder / name for name in ("conf", "standalone", f"work/{node}")} | {_environment(): self.worker_env}
        steps = [f"mkdir -p {own} {self.folder / 'work' / node}", f"mount -t tmpfs none {own}", f"chmod 1777 {own}"]
        for there, seen_as in seen.items():
            place = own / seen_as.relative_to(everybodys)
            steps += [f"mkdir -p {place}", f"mount --bind {there} {place}"]
        return [*steps, f"mount --move {own} {everybodys}"]

    def run(self, node: str, words: Sequence[str], env: Mapping[str, str] | None = None, timeout: float = 300) -> subprocess.CompletedProcess:
        """Run a program on a node to its end."""
        with self.popen(node, words, env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def talkvid(self, *words: str, timeout: float = 300, conf: Mapping[str, str] | None = None) -> subprocess.CompletedProcess:
        """`talkvid VERB …` on the driver node against this master."""
        return self.run("d", self.talkvid_words(*words, conf=conf), timeout=timeout)

    def talkvid_words(self, *words: str, conf: Mapping[str, str] | None = None) -> list[str]:
        """The words of `talkvid VERB …` against this master."""
        settings = {
            "spark.driver.host": address("d"),
            "spark.driver.bindAddress": address("d"),
            "spark.pyspark.python": self.python,
            "spark.executor.memory": "700m",
            "spark.driver.memory": "1g",
        } | dict(conf or {})
        given = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
        return [sys.executable, "-m", "jobs.cli", words[0], "--master", self.master, *given, *words[1:]]

    def state(self) -> dict:
        """What the master says of itself."""
        answer = self.run("d", ["curl", "-s", "-m", "3", f"http://{address('m')}:8080/json/"], timeout=20).stdout
        return json.loads(answer) if answer.startswith("{") else {}

    def await_workers(self, count: int, timeout_s: float = 90) -> None:
        """Return when so many workers are alive."""
        ends = time.monotonic() + timeout_s
        while time.monotonic() < ends:
            if sum(worker["state"] == "ALIVE" for worker in self.state().get("workers", [])) == count:
                return
            time.sleep(0.5)
        raise TimeoutError(f"no {count} workers after {timeout_s} s; see {self.folder}/logs")

    def pids(self, node: str, holding: str = "") -> list[int]:
        """Processes of a node whose command line holds a text. Victims come from here only: never from the whole machine."""
        listed = subprocess.run(["ip", "netns", "pids", self._namespace(node)], capture_output=True, text=True, check=False).stdout.split()
        return [int(pid) for pid in listed if holding in command_of(int(pid))]

    def executor(self, node: str) -> list[int]:
        """Executors of a node."""
        return self.pids(node, "CoarseGrainedExecutorBackend")

    def python_workers(self, node: str) -> list[int]:
        """Python workers of a node: forked from a pyspark daemon, which is not one of them."""
        daemons = self.pids(node, "pyspark.daemon")
        return [pid for pid in daemons if "pyspark.daemon" in command_of(_parent(pid))]

    def kill(self, node: str) -> None:
        """The machine died: kill all that lives there."""
        for pid in self.pids(node):
            _kill(pid)

    def cut(self, node: str) -> None:
        """Take a node's network away."""
        _ip("-n", self._namespace("sw"), "link", "set", f"p-{node}", "down")

    def heal(self, node: str) -> None:
        """Give it back."""
        _ip("-n", self._namespace("sw"), "link", "set", f"p-{node}", "up")

    def down(self) -> None:
        """Kill what lives in the namespaces, remove them."""
        for node in [*self.nodes, "sw"]:
            self.kill(node)
        for daemon in self._daemons:
            daemon.wait(timeout=30)
        for node in [*self.nodes, "sw"]:
            subprocess.run(["ip", "netns", "del", self._namespace(node)], capture_output=True, check=False)
            shutil.rmtree(Path("/etc/netns", self._namespace(node)), ignore_errors=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _environment() -> Path:
    return Path(sys.prefix)


def _pyspark_folder() -> str:
    import pyspark

    return str(Path(pyspark.__file__).parent)


def _clean_environment() -> dict[str, str]:
    dropped = ("SPARK_", "PYSPARK_", "PYTHONPATH", "TALKVID_")
    return {key: value for key, value in os.environ.items() if not key.startswith(dropped)} | {"PYTHONUNBUFFERED": "1"}


def command_of(pid: int) -> str:
    """A process's command line; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return int(fields[1])


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
