# SPDX-License-Identifier: Apache-2.0
"""A whole hub for tests: CA, broker, vedette-hub and nginx in a folder of their own, on free
ports of loopback.

    with Cloud(folder, build) as cloud:
        key = cloud.create_device("d1")
        print(cloud.device_connection_string("d1", key))
        cloud.request("GET", "/twins/d1")
        cloud.kill("hub"); cloud.start("hub")

Parts are "broker", "hub" and "front"; start, stop, kill (SIGKILL), is_running and log_tail come
from deploy/hub/hubstack.py. Without with_hub only the broker runs, and identities are written
with put_identity.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import ssl
import struct
import subprocess
import sys
import time
import urllib.parse
import zlib
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy" / "hub"))
import hubstack  # noqa: E402
import mqtt  # noqa: E402

API_VERSION = "2021-04-12"


def sas_token(resource, key, policy=None, expires=None, ttl=3600, encode=True):
    """As Azure's SDKs make it: Node encodes sr (encode=True), the C SDK does not."""
    expires = str(int(time.time()) + ttl if expires is None else expires)
    sr = urllib.parse.quote(resource, safe="~()*!'") if encode else resource
    mac = hmac.new(base64.b64decode(key), f"{sr}\n{expires}".encode(), hashlib.sha256).digest()
    sig = urllib.parse.quote(base64.b64encode(mac).decode(), safe="")
    return (f"SharedAccessSignature sr={sr}&sig={sig}&se={expires}"
            + (f"&skn={policy}" if policy else ""))


def make_key():
    return base64.b64encode(os.urandom(32)).decode()


def encode_level(identity):
    """An identity as one level of the topics between broker and hub."""
    return identity.replace("%", "%25").replace("/", "%2F")


class Cloud(hubstack.HubStack):
    def __init__(self, folder, build, with_hub=True, **options):
        options.setdefault("requests_per_second", 2000)
        super().__init__(Path(folder) / "c", build, with_hub=with_hub, **options)
        self.keys = {}

    def __enter__(self):
        try:
            self.prepare()
            self.start_all()
        except BaseException:
            self.kill_all()
            raise
        return self

    def __exit__(self, kind, *unused):
        if kind:
            for part in self.parts:
                print(f"--- {part}\n{self.log_tail(part, 40)}", file=sys.stderr)
            self.kill_all()
        else:
            self.stop_all()

    def kill_all(self):
        for part in reversed(hubstack.PARTS):
            self.kill(part)

    @property
    def ca_file(self):
        return str(self.ca / "ca.pem")

    # -- REST, as the service SDK speaks it

    def service_connection_string(self, policy="iothubowner"):
        """HostName=…;SharedAccessKeyName=…;SharedAccessKey=… as the hub's operator gets it."""
        done = subprocess.run([str(self.build / "bin" / "vedette-hub"), "--config",
                               str(self.hub_config), "--show-policy", policy],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode:
            raise hubstack.Failed(f"--show-policy {policy}: {done.stderr}")
        return done.stdout.strip()

    def policy_key(self, policy="iothubowner"):
        if policy not in self.keys:
            fields = dict(field.split("=", 1)
                          for field in self.service_connection_string(policy).split(";"))
            self.keys[policy] = fields["SharedAccessKey"]
        return self.keys[policy]

    def request(self, method, path, body=None, policy="iothubowner", headers=None, token=None,
                timeout=60):
        """(status, headers, body): body parsed if it is JSON, else bytes. path without query
        gets the api-version."""
        if "api-version=" not in path:
            path += ("&" if "?" in path else "?") + f"api-version={API_VERSION}"
        send = {"Host": self.host_name,
                "Authorization": token or sas_token(self.host_name, self.policy_key(policy),
                                                    policy)}
        if body is not None:
            send["Content-Type"] = "application/json; charset=utf-8"
            if not isinstance(body, (bytes, str)):
                body = json.dumps(body)
        send.update(headers or {})
        context = ssl.create_default_context(cafile=self.ca_file)
        connection = http.client.HTTPSConnection("localhost", self.https_port, context=context,
                                                 timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=send)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        if "json" in response.headers.get("content-type", "") and data:
            data = json.loads(data)
        return response.status, response.headers, data

    def must(self, method, path, body=None, **options):
        """The body of a request that succeeds."""
        status, _, data = self.request(method, path, body, **options)
        if not 200 <= status < 300:
            raise AssertionError(f"{method} {path}: {status} {data}")
        return data

    # -- devices

    def create_device(self, identity, **authentication):
        """Registers "dev" or "dev/mod"; its primary key."""
        device, _, module = identity.partition("/")
        body = {"deviceId": device}
        path = f"/devices/{urllib.parse.quote(device, safe='')}"
        if module:
            body["moduleId"] = module
            path += f"/modules/{urllib.parse.quote(module, safe='')}"
        else:
            body["status"] = "enabled"
        body["authentication"] = authentication or {
            "type": "sas", "symmetricKey": {"primaryKey": "", "secondaryKey": ""}}
        made = self.must("PUT", path, body)
        return ((made["authentication"].get("symmetricKey") or {}).get("primaryKey"))

    def device_resource(self, identity):
        device, _, module = identity.partition("/")
        return f"{self.host_name}/devices/{device}" + (f"/modules/{module}" if module else "")

    def device_token(self, identity, key, **options):
        return sas_token(self.device_resource(identity), key, **options)

    def device_connection_string(self, identity, key=None):
        """With the port of this hub, which the Node SDK accepts in HostName."""
        device, _, module = identity.partition("/")
        return (f"HostName={self.host_name}:{self.mqtts_port};DeviceId={device}"
                + (f";ModuleId={module}" if module else "")
                + (f";SharedAccessKey={key}" if key else ";x509=true"))

    def username(self, identity):
        return f"{self.host_name}/{identity}/?api-version={API_VERSION}&DeviceClientType=test"

    def client(self, identity, key=None, **options):
        """An unconnected MQTT client with the right credentials, unless told otherwise."""
        options.setdefault("username", self.username(identity))
        if key and "password" not in options:
            options["password"] = self.device_token(identity, key)
        if options.get("certificate") is True:
            name = str(self.ca / "devices" / encode_level(identity))
            options["certificate"] = (name + ".pem", name + ".key")
        client_id = options.pop("client_id", identity)
        return mqtt.Client((self.address, self.mqtts_port), client_id, ca=self.ca_file,
                           host_name=self.host_name, **options)

    # -- without vedette-hub

    def put_identity(self, identity, auth="sas", status="enabled", **fields):
        """A line of the identities journal, vedette-broker(7). Its primary key."""
        line = {"id": identity, "status": status, "auth": auth}
        if auth == "sas":
            line["primaryKey"], line["secondaryKey"] = make_key(), make_key()
        line.update(fields)
        self.put_line(line)
        return line.get("primaryKey")

    def put_line(self, line):
        fd = os.open(self.identities, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(fd, (json.dumps(line) + "\n").encode())
        os.close(fd)

    def hub_client(self, **options):
        """The hub's place at the broker, for tests that play the hub."""
        return mqtt.Client(str(self.broker_socket), "#test-hub", **options)

    def read_spool(self):
        """Every whole record in the spool: (identity, bag, payload, flags)."""
        records = []
        for segment in sorted(self.spool.glob("*.spool")):
            data, at = segment.read_bytes(), 16
            while at + 16 <= len(data):
                magic, n, crc, _ = struct.unpack_from("<IIII", data, at)
                body = data[at + 16:at + 16 + n]
                if magic != 0x31524456 or len(body) < n or zlib.crc32(body) != crc:
                    break
                _, flags, ids, bags, payloads = struct.unpack_from("<qIIII", body)
                name, bag = body[24:24 + ids], body[25 + ids:25 + ids + bags]
                records.append((name.decode(), bag.decode(), body[n - payloads:], flags))
                at += 16 + n
        return records
