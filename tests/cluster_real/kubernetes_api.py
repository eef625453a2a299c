"""A real Kubernetes API server on loopback: etcd, API server with RBAC, controllers. No kubelet, so pods are made and stay pending."""

import json
import os
import secrets
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster_real.ports import free_ports

VERSION = "1.34.1"
BUILD = Path(__file__).parent / "kubeapi" / "build.sh"
CONTROLLERS = (
    "serviceaccount-controller,serviceaccount-token-controller,root-ca-certificate-publisher-controller,garbage-collector-controller,namespace-controller"
)


def program() -> Path | None:
    """The built server; None where it is not built and Go is not there to build it."""
    given = os.environ.get("KUBEAPI")
    built = Path(given) if given else Path.home() / ".cache" / "talkvid" / f"kubeapi-{VERSION}"
    if built.exists():
        return built
    if given or shutil.which("go") is None:
        return None
    built.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([BUILD, built], capture_output=True, text=True, check=False, timeout=3600)
    return built if done.returncode == 0 else None


@dataclass(frozen=True)
class Api:
    """A running server; `config` is a kubeconfig of an administrator."""

    address: str
    config: Path
    certificate: Path

    def kubectl(self, *words: str, check: bool = True, given: str | None = None) -> subprocess.CompletedProcess:
        """Run kubectl as administrator."""
        return subprocess.run(["kubectl", "--kubeconfig", self.config, *words], capture_output=True, text=True, check=check, input=given, timeout=120)

    def objects(self, kind: str, namespace: str, selector: str = "") -> list[dict]:
        """Objects of a kind."""
        return json.loads(self.kubectl("get", kind, "-n", namespace, "-l", selector, "-o", "json").stdout)["items"]


@contextmanager
def raised(binary: Path, folder: Path) -> Iterator[Api]:
    """The server, for as long as the block lasts; everything it needs is made in `folder`."""
    port, clients, peers = free_ports(3)
    token = secrets.token_hex(16)
    _keys(folder, token)
    (folder / "kubeconfig").write_text(json.dumps(_kubeconfig(port, token, folder)))
    processes = []

    def start(*words: str) -> None:
        with open(folder / f"{words[0]}.log", "wb") as log:
            processes.append(subprocess.Popen([binary, *words], cwd=folder, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL))

    try:
        start("etcd", str(folder / "etcd"), f"http://127.0.0.1:{clients}", f"http://127.0.0.1:{peers}")
        start(
            *("apiserver", f"--etcd-servers=http://127.0.0.1:{clients}", f"--secure-port={port}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"),
            *("--tls-cert-file=tls.crt", "--tls-private-key-file=tls.key", "--token-auth-file=tokens.csv", "--authorization-mode=RBAC"),
            *("--service-account-key-file=accounts.key", "--service-account-signing-key-file=accounts.key", "--service-account-issuer=https://localhost"),
            *("--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none"),
        )
        _await_ready(port, folder)
        start(
            *("controllers", "--kubeconfig=kubeconfig", "--service-account-private-key-file=accounts.key", "--root-ca-file=tls.crt", "--leader-elect=false"),
            *("--secure-port=0", f"--controllers={CONTROLLERS}"),
        )
        yield Api(f"https://127.0.0.1:{port}", folder / "kubeconfig", folder / "tls.crt")
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait(timeout=30)


def _keys(folder: Path, token: str) -> None:
    openssl = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "tls.key", "-out", "tls.crt"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run([*openssl, *names], cwd=folder, check=True, capture_output=True)
    subprocess.run(["openssl", "genrsa", "-out", "accounts.key", "2048"], cwd=folder, check=True, capture_output=True)
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")


def _kubeconfig(port: int, token: str, folder: Path) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(folder / "tls.crt")}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin", "namespace": "default"}}],
        "current-context": "test",
    }


def _await_ready(port: int, folder: Path, limit_s: float = 120) -> None:
    trusted = ssl.create_default_context(cafile=folder / "tls.crt")
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{port}/readyz", timeout=2, context=trusted):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise TimeoutError(f"no API server after {limit_s} s; see {folder}/apiserver.log")
