# SPDX-License-Identifier: Apache-2.0
"""A stream at full rate while things break: its broker and the stream itself are killed, its disk is full, garbage comes.

Messages come in two ways, each with a number of its own: by HTTP, where a sender counts as acknowledged what was answered with 200 and sends
all else again; and by MQTT (QoS 1, a kept session), where the broker's own log says which message the stream has acknowledged. Both go into an
SQLite file, and the HTTP ones also to the broker. In the end every acknowledged number must be in the file. At every fault, and at the end,
the counts of the stream must add up. The memory is what is its own (anonymous), its slope that of the last part, in
which nothing is killed.
"""

import contextlib
import http.client
import json
import pathlib
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

from measure.page import row

CALM = 0.4  # the last part of the time, for the memory
BATCH = 100
STREAM = """apiVersion: moru.dev/v1
kind: Stream
metadata: {{name: soak}}
spec:
  stages:
    - {{name: push, stage: http_push, options: {{listen: "127.0.0.1:{http}", fields: {{id: int64, value: double}}, queue: 20000}}}}
    - {{name: mqtt, stage: read_mqtt, options: {{port: {mqtt}, topics: ["in/{{id}}"], client_id: soak, clean_session: false, fields: {{value: double}}}}}}
    - {{name: warm, stage: filter, inputs: [push], options: {{where: value >= 0}}}}
    - {{name: pushed, stage: write_sqlite, inputs: [warm], queue: 4096, options: {{path: "{disk}/pushed.db", table: items, fields: [id, value]}}}}
    - {{name: read, stage: write_sqlite, inputs: [mqtt], queue: 4096, overflow: spill, options: {{path: "{disk}/read.db", table: items, fields: [id, value]}}}}
    - {{name: out, stage: write_mqtt, inputs: [warm], queue: 4096, overflow: drop_oldest, options: {{port: {mqtt}, topic: "out/{{id}}", fields: [value]}}}}
"""


def fail(text):
    sys.exit(f"measure_streams: {text}")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def connects(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def wait_for(what, condition, patience_s=30):
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            fail(f"{what}: not seen within {patience_s} s, expected it at once")
        time.sleep(0.01)


class Poster(threading.Thread):
    """Posts numbers in batches until they are acknowledged; now and then something that is none."""

    def __init__(self, port, seed):
        super().__init__(daemon=True)
        self.port = port
        self.random = random.Random(seed)
        self.acknowledged = set()
        self.refused = 0
        self.ends = threading.Event()

    def run(self):
        connection = None
        number = 0
        while not self.ends.is_set():
            batch = [{"id": number + i, "value": self.random.random()} for i in range(BATCH)]
            garbage = self.random.random() < 0.02
            body = b"\xff{" * 40 if garbage else "\n".join(map(json.dumps, batch)).encode()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("POST", "/", body, {"Content-Type": "application/x-ndjson"})
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                connection = None
                time.sleep(0.02)
                continue
            if garbage:
                self.refused += response.status == 422
            elif response.status == 200:
                self.acknowledged.update(one["id"] for one in batch)
                number += BATCH
            else:
                time.sleep(0.02)


class Publisher(threading.Thread):
    """Publishes numbers at QoS 1 with a window, in topics; what the broker has not answered when it goes is sent again."""

    WINDOW = 64

    def __init__(self, port, seed):
        super().__init__(daemon=True)
        self.port = port
        self.random = random.Random(seed)
        self.sent = 0
        self.ends = threading.Event()

    @staticmethod
    def packet(kind, body):
        length, head = len(body), bytearray([kind])
        while True:
            head.append(length % 128 | (128 if length > 127 else 0))
            length //= 128
            if length == 0:
                return bytes(head) + body

    def publish(self, number):
        garbage = self.random.random() < 0.02
        topic = (f"in/garbage{number}" if garbage else f"in/{number}").encode()
        payload = b"\x00garbage" if garbage else json.dumps({"value": self.random.random()}).encode()
        identifier = number % 65535 + 1
        return self.packet(0x32, len(topic).to_bytes(2, "big") + topic + identifier.to_bytes(2, "big") + payload)

    def run(self):
        done = 0
        while not self.ends.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as server:
                    server.sendall(self.packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x04send"))
                    stream = server.makefile("rb")
                    stream.read(4)
                    while not self.ends.is_set():
                        server.sendall(b"".join(self.publish(done + i) for i in range(self.WINDOW)))
                        for _ in range(self.WINDOW):
                            if len(stream.read(4)) < 4:
                                raise ConnectionError
                        done += self.WINDOW
                        self.sent = done
            except OSError:
                time.sleep(0.02)


class Soak:
    def __init__(self, moru, folder, disk, seconds, seed):
        self.moru, self.folder, self.disk, self.seconds = moru, folder, disk, seconds
        self.random = random.Random(seed)
        self.http, self.mqtt = free_port(), free_port()
        self.starts = []  # seconds until the stream takes messages
        self.snapshots = 0
        self.memory = []  # (s, kB)
        (folder / "soak.yaml").write_text(STREAM.format(http=self.http, mqtt=self.mqtt, disk=disk))
        (folder / "broker.conf").write_text(
            f"listener {self.mqtt} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/\nautosave_interval 5\n"
            f"max_queued_messages 0\nmax_inflight_messages 1000\nlog_dest file {folder}/broker.log\nlog_type all\nuser root\n"
        )

    def start_broker(self):
        self.broker = subprocess.Popen([shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", self.folder / "broker.conf"], stderr=subprocess.DEVNULL)
        wait_for("the broker's port", lambda: connects(self.mqtt))

    def start_stream(self):
        begin = time.monotonic()
        self.report = open(self.folder / "report.json", "wb")
        log = open(self.folder / "stream.log", "ab")
        command = [self.moru, "stream", "run", self.folder / "soak.yaml", "--state", self.disk / "state", "--format", "json"]
        self.stream = subprocess.Popen(command, stdout=self.report, stderr=log)
        wait_for("the stream's port", lambda: connects(self.http))
        self.starts.append(time.monotonic() - begin)

    def check_counts(self):
        """The state of the running stream adds up: asks the stream itself."""
        done = subprocess.run([self.moru, "stream", "ledger", self.disk / "state", "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode not in (0, 2):  # 2: it has not written any yet
            fail(f"the ledger does not add up: {done.stderr.decode()} {done.stdout.decode()}")
        self.snapshots += done.returncode == 0

    def fill_disk(self):
        """Nothing more goes onto the disk for two seconds."""
        filler = self.disk / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 20))
        with contextlib.suppress(OSError), open(filler, "ab", buffering=0) as file:
            while True:
                file.write(b"\0" * 512)
        time.sleep(2)
        filler.unlink()

    def kill_broker(self):
        self.broker.kill()
        self.broker.wait()
        time.sleep(0.3)
        self.start_broker()

    def kill_stream(self):
        self.check_counts()
        self.stream.kill()
        self.stream.wait()
        self.start_stream()

    def sample_memory(self):
        rollup = pathlib.Path(f"/proc/{self.stream.pid}/smaps_rollup").read_text()
        self.memory.append((time.monotonic(), next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Anonymous:"))))

    def run(self, kills, fills):
        self.start_broker()
        self.start_stream()
        poster, publisher = Poster(self.http, self.random.random()), Publisher(self.mqtt, self.random.random())
        poster.start()
        publisher.start()
        begin = time.monotonic()
        stormy = self.seconds * (1 - CALM)
        faults = [self.kill_broker] * kills + [self.kill_stream] * kills + [self.fill_disk] * fills
        self.random.shuffle(faults)
        for number, fault in enumerate(faults, 1):
            time.sleep(max(0.0, begin + stormy * number / len(faults) - time.monotonic()))
            fault()
        settled = time.monotonic() + self.seconds * CALM * 0.25  # queues have been as full as they get
        while time.monotonic() < begin + self.seconds:
            if time.monotonic() > settled:
                self.sample_memory()
            time.sleep(0.5)
        for sender in (publisher, poster):
            sender.ends.set()
            sender.join()
        self.stream.send_signal(signal.SIGINT)
        if self.stream.wait(60) not in (0, 130):
            fail(f"the stream: exit code {self.stream.returncode}, expected 0 or 130")
        self.check_counts()
        self.broker.terminate()
        self.broker.wait()
        return poster, publisher

    def stored(self, name):
        with contextlib.closing(sqlite3.connect(self.disk / name)) as database:
            return {int(value) for (value,) in database.execute("select id from items")}

    def acknowledged_to_broker(self):
        """The numbers whose PUBACK the broker's log has."""
        topics, found = {}, set()
        sending = re.compile(r"Sending PUBLISH to soak \(d\d, q\d, r\d, m(\d+), 'in/(\w+)'")
        answer = re.compile(r"Received PUBACK from soak \(Mid: (\d+)")
        for line in (self.folder / "broker.log").read_text(errors="replace").splitlines():
            if line.endswith(" starting"):
                topics.clear()  # a broker that was killed gives its numbers again
            elif match := sending.search(line):
                topics[match[1]] = match[2]
            elif (match := answer.search(line)) and topics.get(match[1], "garbage").isdigit():
                found.add(int(topics[match[1]]))
        return found

    def slope_kb_per_min(self):
        """By least squares."""
        times, sizes = zip(*self.memory)
        mean_time, mean_size = sum(times) / len(times), sum(sizes) / len(sizes)
        above = sum((t - mean_time) * (s - mean_size) for t, s in self.memory)
        return 60 * above / sum((t - mean_time) ** 2 for t in times)

    def end(self):
        for process in (self.stream, self.broker):
            if process.poll() is None:
                process.kill()
                process.wait()


@contextlib.contextmanager
def own_disk(folder, megabytes=3000):
    """A file system of its own, so that it can be full; large enough not to be by what is stored."""
    disk = folder / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", disk], stderr=subprocess.PIPE)
    if done.returncode != 0:
        fail(f"mount: {done.stderr.decode().strip()}; the faults need root, for a disk of their own")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def rows(moru, seconds, seed):
    kills, fills = 20, 3
    with tempfile.TemporaryDirectory() as name, own_disk(pathlib.Path(name)) as disk:
        soak = Soak(moru, pathlib.Path(name), disk, seconds, seed)
        try:
            poster, publisher = soak.run(kills, fills)
        finally:
            soak.end()
        read = soak.acknowledged_to_broker()
        lost = len(poster.acknowledged - soak.stored("pushed.db")) + len(read - soak.stored("read.db"))
        slope = soak.slope_kb_per_min()
    text = (
        f"{len(poster.acknowledged)} messages acknowledged by HTTP and {len(read)} by MQTT, {lost} lost; {soak.snapshots} ledgers added up; slowest start "
        f"{max(soak.starts):.2f} s; memory {slope:+.1f} kB a minute"
    )
    met = lost == 0 and abs(slope) < 20
    return [row(f"{seconds / 60:.0f} minutes at full rate, broker and stream killed {kills}× each, disk full {fills}×, garbage; seed {seed}", "nothing acknowledged lost, slope 0", text, met)]
