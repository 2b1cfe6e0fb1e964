# SPDX-License-Identifier: Apache-2.0
"""One hub on one machine from a state folder: CA, broker, hub, front.

Used by run-hub and by the tests' harness. Everything listens on one address, loopback unless
asked otherwise; every process is a child, and is ended by its pid.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = ("broker", "hub", "front")


class Failed(Exception):
    """A part did not start or end; the text says which and ends with its log."""


def free_port(address="127.0.0.1"):
    with socket.socket() as s:
        s.bind((address, 0))
        return s.getsockname()[1]


def fill(template, values):
    text = (HERE / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


class HubStack:
    def __init__(self, state, build, host_name="localhost", address="127.0.0.1",
                 mqtts_port=0, https_port=0, extra_names=(), requests_per_second=200,
                 twin_requests_per_second=1000, with_hub=True, websocket_port=0,
                 certificate_days=90, metrics_from=(), package_keys=()):
        self.state = Path(state).resolve()
        self.build = Path(build).resolve()
        self.host_name, self.address = host_name, address
        self.extra_names = list(extra_names)
        self.mqtts_port = mqtts_port or free_port(address)
        self.https_port = https_port or free_port(address)
        self.websocket_port = websocket_port or free_port()  # between front and broker, loopback
        self.requests_per_second = requests_per_second
        self.twin_requests_per_second = twin_requests_per_second
        self.certificate_days = certificate_days
        self.metrics_from = list(metrics_from)
        self.package_keys = list(package_keys)
        self.parts = PARTS if with_hub else ("broker",)
        self.children = {}
        self.ca = self.state / "ca"
        self.broker_folder = self.state / "broker"
        self.identities = self.broker_folder / "identities"
        self.spool = self.broker_folder / "spool"
        self.broker_socket = self.broker_folder / "broker.sock"
        self.hub_folder = self.state / "hub"
        self.hub_socket = self.hub_folder / "hub.sock"
        self.hub_config = self.hub_folder / "hub.json"
        self.image_folder = self.hub_folder / "images"
        self.package_folder = self.hub_folder / "packages"
        self.front_folder = self.state / "front"
        self.logs = self.state / "log"

    # -- making the state folder

    def prepare(self):
        if len(str(self.broker_socket)) > 100:
            raise Failed(f"{self.state}: too long a path for a Unix socket; choose a shorter one")
        for folder in (self.ca, self.broker_folder, self.hub_folder, self.image_folder,
                       self.package_folder,
                       self.front_folder, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        self.make_ca("init")
        names = " ".join(self.names())
        issued = self.ca / "server.names"
        if not issued.exists() or issued.read_text() != names:
            self.make_ca("server", *self.names())
            issued.write_text(names)
        values = self.values()
        (self.broker_folder / "mosquitto.conf").write_text(fill("mosquitto.conf.in", values))
        (self.front_folder / "nginx.conf").write_text(fill("nginx.conf.in", values))
        self.hub_config.write_text(json.dumps({
            "hostName": self.host_name, "stateFolder": str(self.hub_folder),
            "socket": str(self.hub_socket), "brokerSocket": str(self.broker_socket),
            "spoolFolder": str(self.spool), "identitiesFile": str(self.identities),
            "imageFolder": str(self.image_folder),
            "packageFolder": str(self.package_folder), "packageKeys": self.package_keys,
            "enrolment": {"caFile": str(self.ca / "ca.pem"),
                          "caKeyFile": str(self.ca / "ca.key"),
                          "certificateDays": self.certificate_days}}, indent=2))

    def names(self):
        """All that this hub answers to, each once, its own name first."""
        return list(dict.fromkeys([self.host_name, *self.extra_names, "localhost", "127.0.0.1"]))

    def values(self):
        root = os.geteuid() == 0
        return {
            "USER": "root" if root else "nobody", "USER_LINE": "user root;" if root else "",
            "LIB_FOLDER": self.build / "lib",
            "HOST_NAMES": ",".join(self.names()),
            "BROKER_FOLDER": self.broker_folder, "CA_FOLDER": self.ca,
            "FRONT_FOLDER": self.front_folder, "HUB_SOCKET": self.hub_socket,
            "MQTTS_PORT": self.mqtts_port, "HTTPS_PORT": self.https_port,
            "WEBSOCKET_PORT": self.websocket_port,
            "LISTEN_ADDRESS": self.address, "MAX_BODY": "4m",
            "MAX_UPLOAD": "64m", "IMAGE_FOLDER": self.image_folder,
            "MAX_PACKAGE": "1g", "PACKAGE_FOLDER": self.package_folder,
            "TWIN_REQUESTS_PER_SECOND": self.twin_requests_per_second,
            "REQUESTS_PER_SECOND": self.requests_per_second,
            "REQUESTS_BURST": 2 * self.requests_per_second,
            "METRICS_ACCESS": " ".join(f"allow {address};" for address in self.metrics_from),
        }

    def make_ca(self, *arguments):
        done = subprocess.run([str(HERE / "make-ca"), str(self.ca), *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode:
            raise Failed(f"make-ca {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip()

    # -- processes

    def command(self, part):
        if part == "broker":
            return ["/usr/sbin/mosquitto", "-c", str(self.broker_folder / "mosquitto.conf")]
        if part == "hub":
            return [str(self.build / "bin" / "vedette-hub"), "--config", str(self.hub_config)]
        return ["/usr/sbin/nginx", "-p", str(self.front_folder), "-e", "stderr",
                "-c", str(self.front_folder / "nginx.conf")]

    def environment(self, part):
        environment = dict(os.environ)
        environment.pop("LD_PRELOAD", None)
        if part == "broker":
            library = self.build / "lib" / "vedette-tls-request.so"
            environment["LD_PRELOAD"] = " ".join([*sanitizers(library), str(library)])
            # mosquitto itself is not built with the sanitizer, and its leaks are not ours.
            environment["ASAN_OPTIONS"] = "detect_leaks=0"
        return environment

    def start(self, part, timeout=20):
        if self.is_running(part):
            raise Failed(f"{part} is running already")
        if part == "broker":
            self.broker_socket.unlink(missing_ok=True)
        with open(self.logs / f"{part}.log", "ab") as log:
            self.children[part] = subprocess.Popen(
                self.command(part), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment(part), start_new_session=True,
                preexec_fn=in_child)
        self.wait(part, timeout)

    def wait(self, part, timeout=20):
        end = time.monotonic() + timeout
        while not self.is_ready(part):
            if self.children[part].poll() is not None or time.monotonic() > end:
                state = self.children[part].returncode
                self.kill(part)
                raise Failed(f"{part} did not become ready (exit status {state}):\n"
                             + self.log_tail(part))
            time.sleep(0.02)

    def is_ready(self, part):
        try:
            if part == "broker":
                self.handshake(self.mqtts_port)
                return self.broker_socket.exists()
            if part == "hub":
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(str(self.hub_socket))
                return True
            self.handshake(self.https_port)
            return True
        except (OSError, ssl.SSLError):
            return False

    def handshake(self, port):
        context = ssl.create_default_context(cafile=str(self.ca / "ca.pem"))
        context.check_hostname = False
        with socket.create_connection((self.address, port), timeout=5) as s:
            with context.wrap_socket(s):
                pass

    def log_tail(self, part, lines=15):
        try:
            text = (self.logs / f"{part}.log").read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def is_running(self, part):
        child = self.children.get(part)
        return child is not None and child.poll() is None

    def kill(self, part):
        """SIGKILL, as a power cut would; nginx's workers go with their master's group."""
        child = self.children.pop(part, None)
        if child is None:
            return
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def stop(self, part, timeout=10):
        child = self.children.get(part)
        if child is None:
            return None
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill(part)
                raise Failed(f"{part} did not end within {timeout} s") from None
        self.children.pop(part, None)
        return child.returncode

    def start_all(self):
        for part in self.parts:
            self.start(part)

    def stop_all(self):
        failed = None
        for part in reversed(PARTS):
            try:
                self.stop(part)
            except Failed as e:
                failed = failed or e
        if failed:
            raise failed


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def in_child():
    """Ends with us, also when we are killed; one descriptor a device is not too many. Start
    parts from a thread that stays: the kernel means the thread by "us"."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def sanitizers(library):
    """The run-time libraries of a sanitizer that the library was built with: they must come first."""
    lines = subprocess.run(["ldd", str(library)], stdout=subprocess.PIPE, text=True,
                           check=False).stdout.splitlines()
    found = [line.split("=>")[1].split()[0] for line in lines
             if "=>" in line and any(name in line for name in ("libasan", "libtsan"))]
    return found
