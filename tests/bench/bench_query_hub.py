#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Queries and configurations at 100,000 twins, by REST through the hub's own socket: with the index of
queries, without it (queryIndex false: every twin is looked at), and the same question put to the
same database as SQLite's JSON functions answer it, in this process. Needs a build without
sanitizers (VD_BUILD, build/release by default). Prints a table; asserts nothing but that all three
find the same number.

    bench_query_hub.py [TWINS] [FOLDER]     FOLDER on a real disk: its fdatasync is in the figures
"""

import http.client
import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "harness"))
from cloud import API_VERSION, sas_token  # noqa: E402

BUILD = Path(os.environ.get("VD_BUILD", ROOT / "build" / "release"))
TWINS = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
FOLDER = sys.argv[2] if len(sys.argv) > 2 else None
HOST, TIME = "bench.vedette.test", "2026-01-01T00:00:00.0000000Z"
SITES = ["Ulm", "Jena", "Graz", "Brno", "Lyon"]

# name, WHERE, the same for SQLite, how often
CASES = [
    ("one serial number", "tags.serial = 'S000777'",
     "json_extract(tags, '$.serial') = 'S000777'", 20),
    ("twenty serial numbers", "tags.serial IN [%s]" % ", ".join(f"'S{i:06}'" for i in range(20)),
     "json_extract(tags, '$.serial') IN (%s)" % ", ".join(f"'S{i:06}'" for i in range(20)), 20),
    ("a line of a hundred", "tags.line = 'L07'", "json_extract(tags, '$.line') = 'L07'", 20),
    ("a line, and warm", "tags.line = 'L07' AND properties.reported.temperature > 80",
     "json_extract(tags, '$.line') = 'L07' AND json_extract(reported, '$.temperature') > 80", 20),
    ("a range of 1 %", "tags.number >= 5000 AND tags.number < 6000",
     "json_extract(tags, '$.number') >= 5000 AND json_extract(tags, '$.number') < 6000", 20),
    ("an indexed reported property", "properties.reported.firmware.version = '1.9.9'",
     "json_extract(reported, '$.firmware.version') = '1.9.9'", 20),
    ("connected ones, 0.5 %", "connectionState = 'Connected'", None, 20),
    ("disabled ones, 0.1 %", "status = 'disabled'", None, 20),
    ("not indexed", "properties.reported.temperature > 99.9",
     "json_extract(reported, '$.temperature') > 99.9", 5),
    ("one site of five", "tags.site = 'Ulm'", "json_extract(tags, '$.site') = 'Ulm'", 5),
]


def row(name, *cells):
    print(f"{name:<34}" + "".join(f"{cell:>21}" for cell in cells), flush=True)


def percentiles(times):
    times = sorted(times)
    return times[len(times) // 2] * 1000, times[min(len(times) - 1, len(times) * 99 // 100)] * 1000


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__(HOST, timeout=300)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(300)
        self.sock.connect(self.path)


class Hub:
    """The hub alone; its broker is away, which concerns no query."""

    def __init__(self, folder, options):
        self.folder = Path(folder)
        self.config = self.folder / "hub.conf"
        self.config.write_text(json.dumps({
            "hostName": HOST, "stateFolder": str(self.folder / "state"),
            "socket": str(self.folder / "http"), "brokerSocket": str(self.folder / "broker"),
            "spoolFolder": str(self.folder / "spool"), "logLevel": "notice",
            "identitiesFile": str(self.folder / "identities"), **options}))
        (self.folder / "spool").mkdir(exist_ok=True)

    def __enter__(self):
        with open(self.folder / "hub.log", "ab") as log:
            self.process = subprocess.Popen([str(BUILD / "bin/vedette-hub"), "-c", str(self.config)],
                                            stdout=log, stderr=log)
        end = time.monotonic() + 120
        while True:
            try:
                self.connection = Connection(self.folder / "http")
                self.connection.connect()
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        text = subprocess.run([str(BUILD / "bin/vedette-hub"), "-c", str(self.config),
                               "--show-policy", "iothubowner"], capture_output=True, text=True,
                              check=True).stdout
        key = re.search(r"SharedAccessKey=(\S+)", text).group(1)
        self.token = sas_token(HOST, key, "iothubowner")
        return self

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def call(self, method, path, body=None, headers=None, connection=None):
        connection = connection or self.connection
        connection.request(method, f"{path}?api-version={API_VERSION}",
                           json.dumps(body) if body is not None else None,
                           {"Host": HOST, "Authorization": self.token,
                            "Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status // 100 != 2:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:200]}")
        return json.loads(data) if data else None, answer.headers

    def pages(self, query):
        """Seconds of each page, and all rows."""
        times, rows, continuation = [], [], None
        while not times or continuation:
            began = time.monotonic()
            page, headers = self.call("POST", "/devices/query", {"query": query}, {
                "x-ms-max-item-count": "1000",
                **({"x-ms-continuation": continuation} if continuation else {})})
            times.append(time.monotonic() - began)
            continuation = headers["x-ms-continuation"]
            rows += page
        return times, rows

    def wait_for_index(self):
        began, log = time.monotonic(), self.folder / "hub.log"
        while "index.built" not in log.read_text():
            if time.monotonic() > began + 120:
                raise RuntimeError("the index is not built")
            time.sleep(0.05)
        return re.findall(r"index.built ms=(\d+)", log.read_text())[-1]


def leaf_times(value, extra):
    made = {"$lastUpdated": TIME, **extra}
    if isinstance(value, dict):
        made.update({key: leaf_times(each, extra) for key, each in value.items()})
    return made


def section(value, version, extra):
    return json.dumps({**value, "$metadata": leaf_times(value, extra), "$version": version},
                      separators=(",", ":"))


def twin_row(number):
    dice = random.Random(number)
    tags = {"site": SITES[number % 5], "line": f"L{number // 7 % 100:02}", "number": number,
            "serial": f"S{number:06}", "owner": {"team": f"t{number % 30}", "shift": number % 3},
            "commissioned": f"20{10 + number % 15}-0{1 + number % 9}-11", "canary": number % 50 == 0}
    desired = {"camera": {"fps": 30, "exposureUs": 900}, "recipe": {"name": f"r{number % 12}", "rev": 4}}
    reported = {"temperature": round(dice.uniform(20, 100), 2), "uptimeS": dice.randrange(10 ** 6),
                "firmware": {"version": "1.9.9" if number % 200 == 0 else "1.8.2", "slot": "a"},
                "modules": {name: {"version": "1.0.0", "state": "running", "restarts": dice.randrange(4)}
                            for name in ("camera", "inspect", "modbus")}}
    return (f"d{number:06}", "", 2, 2, json.dumps(tags, separators=(",", ":")),
            section(desired, 2, {"$lastUpdatedVersion": 2}), section(reported, 2, {}))


def fill(folder):
    """Devices as the registry would have them; by SQL, since 100,000 PUTs take minutes."""
    with sqlite3.connect(Path(folder) / "state/hub.sqlite") as base:
        base.execute("PRAGMA journal_mode = WAL")
        base.executemany(
            "INSERT INTO identities (device_id, module_id, generation_id, etag, enabled,"
            " status_reason, status_updated_ms, managed_by, authentication, primary_key,"
            " secondary_key, primary_thumbprint, secondary_thumbprint)"
            " VALUES (?, '', '1', 1, ?, '', 0, '', 'sas', 'QQ==', 'QQ==', '', '')",
            ((f"d{i:06}", i % 1000 != 0) for i in range(TWINS)))
        base.executemany("INSERT INTO twins VALUES (?, ?, ?, ?, ?, ?, ?)",
                         (twin_row(i) for i in range(TWINS)))
        base.execute("UPDATE index_state SET built = 0")
    base.close()


def connect_some(folder):
    """As if devices had come: the hub takes all of them as gone when it starts."""
    base = sqlite3.connect(Path(folder) / "state/hub.sqlite", timeout=30)
    with base:
        base.execute("UPDATE identities SET connected = 1 WHERE device_id LIKE '%50'"
                     " AND substr(device_id, 5, 1) IN ('1', '7')")
    base.close()


def ask_sqlite(folder, where):
    base = sqlite3.connect(f"file:{folder}/state/hub.sqlite?mode=ro", uri=True)
    times = []
    for _ in range(3):
        began = time.monotonic()
        rows = base.execute("SELECT device_id, tags, desired, reported FROM twins"
                            f" WHERE module_id = '' AND {where}").fetchall()
        times.append(time.monotonic() - began)
    base.close()
    return sorted(times)[1] * 1000, len(rows)


def measure_queries(hub):
    results = {}
    for name, where, _, repeats in CASES:
        all_times = []
        for _ in range(repeats):
            times, rows = hub.pages(f"SELECT * FROM devices WHERE {where}")
            all_times.append(sum(times))
        results[name] = (*percentiles(all_times), len(rows))
    for name, query in (("COUNT of all", "SELECT COUNT() AS n FROM devices"),
                        ("COUNT of a site", "SELECT COUNT() AS n FROM devices WHERE tags.site = 'Ulm'"),
                        ("COUNT by site", "SELECT tags.site, COUNT() AS n FROM devices GROUP BY tags.site"),
                        ("COUNT by connectionState", "SELECT connectionState, COUNT() AS n FROM devices"
                                                     " GROUP BY connectionState"),
                        ("COUNT by reported module", "SELECT properties.reported.modules.camera.version,"
                                                     " COUNT() AS n FROM devices GROUP BY"
                                                     " properties.reported.modules.camera.version")):
        all_times = []
        for _ in range(5):
            times, rows = hub.pages(query)
            all_times.append(sum(times))
        results[name] = (*percentiles(all_times), sum(each["n"] for each in rows))
    return results


def measure_first_page(hub):
    times = []
    for _ in range(20):
        began = time.monotonic()
        hub.call("POST", "/devices/query", {"query": "SELECT * FROM devices WHERE tags.site = 'Ulm'"},
                 {"x-ms-max-item-count": "100"})
        times.append(time.monotonic() - began)
    return percentiles(times)


def measure_patches(hub, body):
    times = []
    for i in range(300):
        began = time.monotonic()
        hub.call("PATCH", f"/twins/d{i * 7 % TWINS:06}", body(i))
        times.append(time.monotonic() - began)
    return percentiles(times)


def measure_gets_meanwhile(hub, work):
    """Twin GETs of another connection while work() goes on."""
    times, is_over = [], threading.Event()

    def get():
        connection = Connection(hub.folder / "http")
        while not is_over.is_set():
            began = time.monotonic()
            hub.call("GET", "/twins/d000123", connection=connection)
            times.append(time.monotonic() - began)

    thread = threading.Thread(target=get)
    thread.start()
    work()
    is_over.set()
    thread.join()
    return (*percentiles(times), max(times) * 1000)


def configure(hub, name, condition, expected):
    began = time.monotonic()
    hub.call("PUT", f"/configurations/{name}", {
        "id": name, "schemaVersion": "2.0", "priority": 1, "targetCondition": condition, "labels": {},
        "content": {"deviceContent": {f"properties.desired.{name}": {"value": 1}}}})
    applied = 0
    while applied < expected and time.monotonic() < began + 300:
        time.sleep(0.02)
        results = hub.call("GET", f"/configurations/{name}")[0]["systemMetrics"]["results"]
        applied = results.get("appliedCount", 0)
    return time.monotonic() - began


def measure(folder, options):
    with Hub(folder, options) as hub:
        figures = {"index built, ms": hub.wait_for_index() if options.get("queryIndex", True) else "-"}
        time.sleep(3 + TWINS / 30000)  # the look at all twins when a hub with configurations starts
        connect_some(folder)
        hub.pages("SELECT COUNT() AS n FROM devices WHERE tags.warm = properties.reported.up")
        figures["queries"] = measure_queries(hub)
        figures["first page of 100"] = measure_first_page(hub)
        figures["PATCH of a tag"] = measure_patches(
            hub, lambda i: {"tags": {"owner": {"team": f"n{time.time()}"}}})
        figures["PATCH of desired"] = measure_patches(
            hub, lambda i: {"properties": {"desired": {"bench": time.time()}}})
        figures["GET, nothing else"] = measure_gets_meanwhile(hub, lambda: time.sleep(1))
        figures["GET while a scan runs"] = measure_gets_meanwhile(
            hub, lambda: [hub.pages("SELECT COUNT() AS n FROM devices WHERE"
                                    " properties.reported.temperature > 50") for _ in range(3)])
        line = sum(1 for i in range(TWINS) if i // 7 % 100 == 7)
        kind = "on" if options.get("queryIndex", True) else "off"
        figures["configure"] = configure(hub, f"few-{kind}", "tags.line = 'L07'", line)
        figures["configure all"] = []
        gets = measure_gets_meanwhile(hub, lambda: figures["configure all"].append(
            configure(hub, f"all-{kind}", "*", TWINS)))
        figures["GET while all are configured"] = gets
        for name in f"few-{kind}", f"all-{kind}":
            hub.call("DELETE", f"/configurations/{name}", headers={"If-Match": "*"})
        figures["rss"] = int(re.search(r"VmRSS:\s+(\d+)", Path(
            f"/proc/{hub.process.pid}/status").read_text()).group(1)) / 1024
    figures["disk"] = (Path(folder) / "state/hub.sqlite").stat().st_size / 1e6
    return figures


def show(folder, on, off):
    row("query, all pages of 1,000", "rows", "index p50/p99 ms", "scan p50 ms", "SQLite JSON1 ms",
        "scan/index", "JSON1/index")
    wheres = {name: where for name, _, where, _ in CASES}
    for name, (p50, p99, count) in on["queries"].items():
        scan, _, scan_count = off["queries"][name]
        peer, peer_count = ask_sqlite(folder, wheres[name]) if wheres.get(name) else (None, count)
        assert count == scan_count == peer_count, (name, count, scan_count, peer_count)
        row(name, count, f"{p50:.2f} / {p99:.2f}", f"{scan:.1f}", f"{peer:.1f}" if peer else "-",
            f"{scan / p50:.1f}", f"{peer / p50:.1f}" if peer else "-")
    print()
    row("", "index", "scan")
    for name in ("first page of 100", "PATCH of a tag", "PATCH of desired"):
        row(f"{name}, p50 / p99 ms", *("{:.2f} / {:.2f}".format(*each[name]) for each in (on, off)))
    for name in ("GET, nothing else", "GET while a scan runs", "GET while all are configured"):
        row(f"{name}: p50/p99/max", *("{:.2f}/{:.2f}/{:.1f}".format(*each[name]) for each in (on, off)))
    row("configuration of 1 %, applied", *(f"{each['configure']:.2f} s" for each in (on, off)))
    row(f"configuration of all {TWINS}", *(f"{each['configure all'][0]:.2f} s" for each in (on, off)))
    row("index built in", f"{on['index built, ms']} ms", "-")
    row("database; hub's RSS", *(f"{each['disk']:.0f}; {each['rss']:.0f} MB" for each in (on, off)))


def main():
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        with Hub(folder, {}):
            pass
        fill(folder)
        on = measure(folder, {"queryIndexPaths": ["properties.reported.firmware"]})
        off = measure(folder, {"queryIndex": False})
        show(folder, on, off)


main()
