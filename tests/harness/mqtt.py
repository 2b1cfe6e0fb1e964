# SPDX-License-Identifier: Apache-2.0
"""A small MQTT 3.1.1 client for tests: says exactly what it is told, also what is forbidden,
and shows exactly what came back. Blocking, one thread, one deadline a call."""

import socket
import ssl
import struct
import time
from collections import deque

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 10, 11, 12, 13, 14


class Closed(Exception):
    """The other side ended the connection."""


class Refused(Exception):
    """CONNACK with another code than 0; code holds it."""

    def __init__(self, code):
        super().__init__(f"CONNACK {code}")
        self.code = code


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(data)) + data


def length(n):
    out = bytearray()
    while True:
        n, digit = divmod(n, 128)
        out.append(digit | (0x80 if n else 0))
        if not n:
            return bytes(out)


class Client:
    def __init__(self, address, client_id, username=None, password=None, ca=None,
                 certificate=None, host_name="localhost", clean=True, will=None, keepalive=60,
                 level=4, timeout=10):
        self.client_id, self.username, self.password = client_id, username, password
        self.clean, self.will, self.keepalive, self.level = clean, will, keepalive, level
        self.timeout, self.last_id = timeout, 0
        self.buffer, self.messages, self.others = b"", deque(), deque()
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = ssl.create_default_context(cafile=ca)
            if certificate:
                context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_hostname=host_name)
        self.session_present = None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        """Without DISCONNECT: an end that triggers the will."""
        self.socket.close()

    def disconnect(self):
        self.send(DISCONNECT, 0, b"")
        self.close()

    def send(self, kind, flags, body):
        self.socket.settimeout(self.timeout)
        self.socket.sendall(bytes([kind << 4 | flags]) + length(len(body)) + body)

    def receive(self, deadline):
        """The next packet: (kind, flags, body)."""
        while True:
            packet = self.split()
            if packet:
                return packet
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("nothing came in time")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError) as e:
                if isinstance(e, ssl.SSLWantReadError):
                    continue
                raise Closed(str(e)) from None
            except socket.timeout:
                raise TimeoutError("nothing came in time") from None
            if not data:
                raise Closed("closed")
            self.buffer += data

    def split(self):
        n, shift = 0, 0
        for i in range(1, min(5, len(self.buffer))):
            n |= (self.buffer[i] & 0x7F) << shift
            shift += 7
            if not self.buffer[i] & 0x80:
                if len(self.buffer) < i + 1 + n:
                    return None
                head, body = self.buffer[0], self.buffer[i + 1:i + 1 + n]
                self.buffer = self.buffer[i + 1 + n:]
                return head >> 4, head & 15, body
        return None

    def expect(self, kind):
        """The next packet of this kind; publishes that come before are kept for message()."""
        deadline = time.monotonic() + self.timeout
        while True:
            got, flags, body = self.receive(deadline)
            if got == PUBLISH:
                self.keep(flags, body)
            if got == kind and kind != PUBLISH:
                return body
            if kind == PUBLISH and self.messages:
                return None

    def keep(self, flags, body):
        n = struct.unpack_from("!H", body)[0]
        topic, rest = body[2:2 + n].decode(), body[2 + n:]
        if flags >> 1 & 3:
            self.send(PUBACK, 0, rest[:2])
            rest = rest[2:]
        self.messages.append((topic, bytes(rest), flags))

    def connect(self):
        flags = 2 if self.clean else 0
        payload = text(self.client_id)
        if self.will:
            topic, body, qos = self.will
            flags |= 4 | qos << 3
            payload += text(topic) + text(body)
        if self.username is not None:
            flags |= 0x80
            payload += text(self.username)
        if self.password is not None:
            flags |= 0x40
            payload += text(self.password)
        self.send(CONNECT, 0, text("MQTT") + bytes([self.level, flags])
                  + struct.pack("!H", self.keepalive)
                  + (b"\0" if self.level == 5 else b"") + payload)
        body = self.expect(CONNACK)
        if body[1]:
            raise Refused(body[1])
        self.session_present = bool(body[0] & 1)
        return self

    def next_id(self):
        self.last_id = self.last_id % 65535 + 1
        return self.last_id

    def publish_only(self, topic, body=b"", qos=1, retain=False):
        """Sends; does not wait. The packet id, or None for QoS 0."""
        data = body.encode() if isinstance(body, str) else body
        packet_id = self.next_id() if qos else None
        self.send(PUBLISH, qos << 1 | int(retain), text(topic)
                  + (struct.pack("!H", packet_id) if qos else b"") + data)
        return packet_id

    def publish(self, topic, body=b"", qos=1, retain=False):
        packet_id = self.publish_only(topic, body, qos, retain)
        if qos:
            got = struct.unpack("!H", self.expect(PUBACK))[0]
            assert got == packet_id, f"PUBACK {got} for {packet_id}"

    def subscribe(self, topic, qos=1):
        """The granted QoS, or 0x80."""
        self.send(SUBSCRIBE, 2, struct.pack("!H", self.next_id()) + text(topic) + bytes([qos]))
        return self.expect(SUBACK)[2]

    def unsubscribe(self, topic):
        self.send(UNSUBSCRIBE, 2, struct.pack("!H", self.next_id()) + text(topic))
        self.expect(UNSUBACK)

    def ping(self):
        self.send(PINGREQ, 0, b"")
        self.expect(PINGRESP)

    def message(self, timeout=None):
        """The next publish: (topic, body, flags)."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self.messages:
            got, flags, body = self.receive(deadline)
            if got == PUBLISH:
                self.keep(flags, body)
        return self.messages.popleft()

    def is_closed(self, timeout=5):
        """Waits for the other side to end the connection."""
        deadline = time.monotonic() + timeout
        try:
            while True:
                self.receive(deadline)
        except Closed:
            return True
        except TimeoutError:
            return False
