#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A module for Vedette: publishes a number each intervalMs. vedette-module(7) has the rest."""
import json, os, select, socket, sys, time

if "--schema" in sys.argv:
    sys.exit(print(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "schema.json")).read(), end=""))

agent = socket.socket(fileno=3)
send = lambda **packet: agent.send(json.dumps(packet).encode())
values, count, beat, tick, heartbeat = None, 0, 0.0, 0.0, 1.0

send(type="hello", protocol=1, name="example-python", version="1.0.0")
while True:
    now = time.monotonic()
    if values and now >= beat:
        send(type="alive", work=count, due=False)
        beat = now + heartbeat
    if values and now >= tick:
        count += values["step"]
        send(type="publish", output="count", **{"class": "telemetry"}, body={"count": count})
        tick = now + values["intervalMs"] / 1000
    if not select.select([agent], [], [], max(0, min(beat, tick) - now) if values else None)[0]:
        continue
    data = agent.recv(65536)
    packet = json.loads(data) if data else {"type": "stop"}  # no data: the agent is gone
    if packet["type"] in ("start", "parameters"):
        heartbeat = packet.get("heartbeatMs", heartbeat * 1000) / 1000
        given = {"intervalMs": 1000, "step": 1, **packet.get("parameters", {})}
        if given["intervalMs"] < 10:
            send(type="refused", version=packet["version"], pointer="/intervalMs", text="is below 10")
            continue
        first, values, tick = values is None, given, now
        send(type="applied", version=packet["version"])
        if first:
            send(type="ready")
    elif packet["type"] == "stop":
        sys.exit(0)
