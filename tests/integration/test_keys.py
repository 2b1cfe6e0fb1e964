#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
A module counts items, publishes each under its key, and starts again with whatever was not answered.
Agent and module are killed at any moment; each item is in the hub exactly once.
"""

import os
import random
import signal
import sys
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
import line as lines  # noqa: E402
from line import Line, wait_until  # noqa: E402

ITEMS = 2000
MODULE = r"""#!/usr/bin/python3
import json, select, socket, time

ITEMS = 2000
agent = socket.socket(fileno=3)


def send(**packet):
    agent.send(json.dumps(packet).encode())


def receive(wait_s):
    if not select.select([agent], [], [], wait_s)[0]:
        return None
    data = agent.recv(65536)
    if not data:
        raise SystemExit(0)
    return json.loads(data)


def publish(n, body):
    send(type="publish", id=n, key="item-%d" % n, output="item", body={"n": n, **body},
         **{"class": "verdict"})


send(type="hello", protocol=1, name="items", version="1.0.0")
start = {}
while start.get("type") != "start":
    start = receive(None)
send(type="applied", version=start["version"])
send(type="ready")
# One line for each item taken ("+n"), one for each answer ("-n").
journal = open(start["stateFolder"] + "/journal", "a+")
journal.seek(0)
open_items, n = [], 0
for entry in journal.read().split():
    n = max(n, int(entry[1:]))
    if entry[0] == "+":
        open_items.append(int(entry[1:]))
    elif int(entry[1:]) in open_items:
        open_items.remove(int(entry[1:]))
for item in open_items:
    publish(item, {})
beat = tick = 0
while True:
    now = time.monotonic()
    if now >= beat:
        send(type="alive", work=n, due=False)
        beat = now + 0.5
    if n < ITEMS and now >= tick:
        tick = now + 0.002
        n += 1
        journal.write("+%d\n" % n)
        journal.flush()
        publish(n, {})
    packet = receive(0.002)
    while packet:
        if packet["type"] == "stored":
            journal.write("-%d\n" % packet["id"])
            journal.flush()
        elif packet["type"] in ("rejected", "stop"):
            raise SystemExit(packet["type"] == "rejected")
        elif packet["type"] == "parameters":
            send(type="applied", version=packet["version"])
        packet = receive(0)
"""
MANIFEST = """{"name":"items","version":"1.0.0","protocol":[1,1],"entryPoint":"items.py","arguments":[],
"schema":"schema.json","outputs":{"item":{"kind":"message","class":"verdict"}},"inputs":{}}"""


def install(folder):
    package = folder / "packages" / "items" / "1.0.0"
    package.mkdir(parents=True)
    (package / "manifest.json").write_text(MANIFEST)
    (package / "schema.json").write_text('{"type":"object","additionalProperties":false,"properties":{}}')
    (package / "items.py").write_text(MODULE)
    (package / "items.py").chmod(0o755)


class KeysTest(unittest.TestCase):
    def test_an_item_that_is_published_again_after_a_kill_is_in_the_hub_once(self):
        seed = int(os.environ.get("VD_SEED") or time.time())
        print("VD_SEED=%d" % seed)
        chance = random.Random(seed)
        with Line() as line:
            install(line.agent.folder)
            line.agent.start()
            line.wait_applied(line.set_desired(lines.document(
                {"m": lines.module("items", 10, {})},
                {"up": {"route": "FROM m/item INTO $upstream", "class": "verdict"}})))
            for i in range(10):
                line.agent.wait_ready("m")
                time.sleep(chance.uniform(0.05, 0.4))
                if i % 3 == 2:
                    os.kill(line.agent.modules()["m"]["pid"], signal.SIGKILL)
                    time.sleep(0.3)
                else:
                    line.agent.kill()
                    line.agent.start()
            line.agent.wait_ready("m")
            journal = line.agent.state_folder / "modules" / "m" / "journal"

            def is_settled():
                entries = set(journal.read_text().split())
                return all({"+%d" % n, "-%d" % n} <= entries for n in range(1, ITEMS + 1))
            line.wait_applied(line.set_desired({"modules": {"m": {"status": "stopped"}}}))
            line.wait_applied(line.set_desired({"modules": {"m": {"status": "running"}}}))
            line.agent.wait_ready("m")
            wait_until(is_settled, 60, line.agent.log_tail)
            wait_until(lambda: line.agent.call("outbox")["store"]["classes"]["verdict"]["records"] == 0, 20,
                       line.agent.log_tail)
            wait_until(lambda: len(line.verdicts()) >= ITEMS, 5, "all items in the hub")
            ns = [v["body"]["n"] for v in line.verdicts()]
            known = line.agent.log_path.read_text(errors="replace").count("store.key-known")
            print("%d items, %d came again and were known" % (ITEMS, known))
            self.assertEqual(sorted(ns), list(range(1, ITEMS + 1)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
