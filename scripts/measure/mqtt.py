# SPDX-License-Identifier: Apache-2.0
"""MQTT in, a filter, the mean of 10 s of each of 1,000 devices, MQTT out: Moru beside Node-RED and Telegraf.

Each runs alone at a mosquitto of its own, gets the same messages (QoS 1, JSON, one seed, the same places within a window of 10 s) and publishes
its means at QoS 1; what they published is compared. CPU time is what the kernel counted for all threads while messages came and the window
closed, memory is PSS right after that. Messages lie within the window and not at its ends, because Telegraf goes by the clock of the wall,
the two others by the times in the messages.

The peers acknowledge a message when it has come. So does Moru in the figure that is compared; the other one is that of acknowledging when
the mean is stored, which keeps a receipt for each message of the window at hand.

The peers are got by hand, from their own package clients:

    npm install --prefix DIR node-red@5                        (needs node >= 22.9; --node names it)
    go mod download -json github.com/influxdata/telegraf@v1.37.0, and in the folder that it names:
    go build -tags custom,inputs.mqtt_consumer,aggregators.basicstats,outputs.mqtt,parsers.json,serializers.json -o BINARY ./cmd/telegraf
"""

import contextlib
import dataclasses
import json
import math
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from measure.page import row

DEVICES = 1000
WINDOW_S = 10
LIMIT = 24  # the filter: colder ones pass
SECONDS = 7  # of messages, from the window's second 1 on
PATIENCE_S = 60
STREAM = "apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {name: bench}\nspec:\n  stages:\n"


@dataclasses.dataclass
class Figures:
    name: str
    messages: int
    cpu_us: float  # a message
    pss_mb: float
    own_mb: float  # the part that is no file's
    means: dict  # of each device


def fail(text):
    sys.exit(f"measure_streams: {text}")


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            fail(f"{what}: not seen within {PATIENCE_S} s, expected it at once")
        time.sleep(0.02)


def cpu_s(process):
    """Of all threads, as the scheduler counted it."""
    tasks = pathlib.Path(f"/proc/{process.pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def memory_mb(process, field):
    rollup = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(f"{field}:")) * 1024 / 1e6


class Bench:
    """A broker in a folder of its own, and what talks to it."""

    def __init__(self, folder, moru):
        self.folder = folder
        self.moru = moru
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @contextlib.contextmanager
    def broker(self):
        config = self.folder / "broker.conf"
        log = self.folder / "broker.log"
        log.write_text("")
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n"
            f"max_queued_messages 0\nmax_inflight_messages 0\nlog_dest file {log}\nlog_type subscribe\nuser root\n"
        )
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with self.process([program, "-c", config], "mosquitto") as broker:
            wait_for("mosquitto's port", lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0)
            yield broker

    @contextlib.contextmanager
    def process(self, command, name, out=None, **options):
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen([str(word) for word in command], stdout=out or log, stderr=log, **options)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def wait_for_subscription(self, text):
        log = self.folder / "broker.log"
        wait_for(f"a subscription to {text}", lambda: text in log.read_text())

    def stream(self, name, stages):
        file = self.folder / f"{name}.yaml"
        file.write_text(STREAM + "".join(f"    - {stage}\n" for stage in stages))
        return [self.moru, "stream", "run", file, "--format", "json"]

    def publish(self, start_s, rate_hz, items, keys=DEVICES, period_ms=None):
        """Readings of `keys` devices, published by a stream of Moru; its report."""
        period = period_ms or 1000 / rate_hz
        command = self.stream(
            "publisher",
            [
                f"{{name: in, stage: synthetic, options: {{keys: {keys}, items: {items}, rate_hz: {rate_hz}, period_ms: {period}, start_s: {start_s}, wave_s: 2}}}}",
                f"{{name: out, stage: write_mqtt, inputs: [in], options: {{port: {self.port}, topic: 'sensors/{{device}}/temperature', "
                "fields: [value], in_flight: 10000}}",
            ],
        )
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True)
        report = json.loads(done.stdout)
        sink = next(stage for stage in report["stages"] if stage["name"] == "out")
        if sink["used"] != items:
            fail(f"the publisher: {sink}, expected {items} messages that the broker has taken")
        return report


class Moru:
    name = "Moru"

    def __init__(self, acknowledge):
        self.acknowledge = acknowledge

    @staticmethod
    def stages(bench, acknowledge, more=""):
        return [
            f"{{name: in, stage: read_mqtt, options: {{port: {bench.port}, topics: ['sensors/{{device}}/temperature'], acknowledge: {acknowledge}, "
            f"gather_ms: 10, time: time, time_unit: ns, fields: {{value: double}}{more}}}}}",
            f"{{name: cold, stage: filter, inputs: [in], options: {{where: value < {LIMIT}}}}}",
            f"{{name: mean, stage: window, inputs: [cold], options: {{size_ms: {WINDOW_S * 1000}, key: [device], set: {{mean: mean(value)}}}}}}",
            f"{{name: out, stage: write_mqtt, inputs: [mean], options: {{port: {bench.port}, topic: 'out/{{device}}', fields: [window_start, mean]}}}}",
        ]

    def start(self, bench):
        return bench.process(bench.stream("moru", self.stages(bench, self.acknowledge)), "moru")

    @staticmethod
    def mean(device, message):
        return device, message["window_start"] // (WINDOW_S * 10**9), message["mean"]


class NodeRed:
    name = "Node-RED"

    def __init__(self, folder, node):
        self.program = [node, pathlib.Path(folder) / "node_modules" / "node-red" / "red.js"]
        if not self.program[1].exists():
            fail(f"found no {self.program[1]}, expected Node-RED; get it as scripts/measure/mqtt.py says")

    def start(self, bench):
        broker = {"id": "b", "type": "mqtt-broker", "broker": "127.0.0.1", "port": str(bench.port), "protocolVersion": "5", "clientid": "",
                  "autoConnect": True, "usetls": False, "keepalive": "60", "cleansession": True}  # fmt: skip
        source = {"id": "i", "type": "mqtt in", "z": "f", "topic": "sensors/+/temperature", "qos": "1", "datatype": "json", "broker": "b",
                  "nl": False, "rap": False, "inputs": 0, "wires": [["s"]]}  # fmt: skip
        cold = {"id": "s", "type": "switch", "z": "f", "property": "payload.value", "propertyType": "msg", "checkall": "false", "repair": False,
                "rules": [{"t": "lt", "v": str(LIMIT), "vt": "num"}], "outputs": 1, "wires": [["m"]]}  # fmt: skip
        code = f"""
const start = Math.floor(msg.payload.time / {WINDOW_S}e9);
let open = context.get('open');
const out = [];
if (!open || start > open.start) {{
  if (open) for (const [device, sum] of open.sums) out.push({{topic: 'out/' + device, payload: {{window: open.start, mean: sum.total / sum.count}}}});
  open = {{start, sums: new Map()}};
  context.set('open', open);
}}
const device = msg.topic.split('/')[1];
const sum = open.sums.get(device);
if (sum) {{ sum.total += msg.payload.value; sum.count += 1; }} else open.sums.set(device, {{total: msg.payload.value, count: 1}});
return out.length ? [out] : null;
"""
        mean = {"id": "m", "type": "function", "z": "f", "func": code, "outputs": 1, "initialize": "", "finalize": "", "libs": [], "wires": [["o"]]}
        sink = {"id": "o", "type": "mqtt out", "z": "f", "topic": "", "qos": "1", "retain": "false", "broker": "b", "wires": []}
        user = bench.folder / "node-red"
        user.mkdir(exist_ok=True)
        (user / "flows.json").write_text(json.dumps([{"id": "f", "type": "tab", "label": "f", "disabled": False}, broker, source, cold, mean, sink]))
        (user / "settings.js").write_text(
            "module.exports = {flowFile: 'flows.json', httpAdminRoot: false, httpNodeRoot: false, uiHost: '127.0.0.1', uiPort: 0, "
            "logging: {console: {level: 'warn', metrics: false, audit: false}}};\n"
        )
        return bench.process([*self.program, "--userDir", user], "node-red")

    @staticmethod
    def mean(device, message):
        return device, message["window"], message["mean"]


class Telegraf:
    name = "Telegraf"

    def __init__(self, program):
        self.program = program
        if not pathlib.Path(program).exists():
            fail(f"found no {program}, expected Telegraf; get it as scripts/measure/mqtt.py says")

    def start(self, bench):
        config = bench.folder / "telegraf.conf"
        config.write_text(f"""
[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_batch_size = 1000
  metric_buffer_limit = 100000
  omit_hostname = true
  quiet = true
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{bench.port}"]
  topics = ["sensors/+/temperature"]
  qos = 1
  max_undelivered_messages = 10000
  data_format = "json"
  json_time_key = "time"
  json_time_format = "unix_ns"
  fieldinclude = ["value"]
  metricpass = 'fields.value < {LIMIT}.0'
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "sensors/+/temperature"
    tags = "_/device/_"
[[aggregators.basicstats]]
  period = "{WINDOW_S}s"
  drop_original = true
  stats = ["mean"]
[[outputs.mqtt]]
  servers = ["tcp://127.0.0.1:{bench.port}"]
  topic = 'out/{{{{ .Tag "device" }}}}'
  qos = 1
  data_format = "json"
  json_timestamp_units = "1s"
""")
        return bench.process([self.program, "--config", config], "telegraf")

    @staticmethod
    def mean(device, message):
        return device, message["timestamp"] // WINDOW_S - 1, message["fields"]["value_mean"]


def next_window(margin_s=0.5):
    """Sleeps until a window has begun, and gives its start (a whole second)."""
    now = time.time()
    start = (math.floor((now + margin_s) / WINDOW_S) + 1) * WINDOW_S
    time.sleep(start + 1 - now - 0.05)
    return start


def read_means(path, system):
    means = {}
    for line in path.read_text().splitlines():
        message = json.loads(line)
        name, window, mean = system.mean(message["device"], json.loads(message["payload"]))
        means.setdefault(window, {})[name] = mean
    return means


def measure(bench, system, rate_hz):
    """One window of messages, and one message of the next that closes it."""
    got = bench.folder / "got.jsonl"
    got.write_text("")
    messages = rate_hz * SECONDS
    listener = bench.stream(
        "listener",
        [
            f"{{name: in, stage: read_mqtt, options: {{port: {bench.port}, topics: ['out/{{device}}'], format: text, fields: {{payload: text}}}}}}",
            f"{{name: out, stage: write_json, inputs: [in], options: {{path: '{got}'}}}}",
        ],
    )
    with bench.broker():
        with bench.process(listener, "listener"), system.start(bench) as process:
            bench.wait_for_subscription("out/+")
            bench.wait_for_subscription("sensors/+/temperature")
            start = next_window()
            before = cpu_s(process)
            bench.publish(start + 1, rate_hz, messages)
            time.sleep(max(0.0, start + WINDOW_S + 1 - time.time()))
            bench.publish(start + WINDOW_S + 1, 1, 1, keys=1)
            wait_for(f"{system.name}: {DEVICES} means", lambda: len(got.read_text().splitlines()) >= DEVICES)
            used = cpu_s(process) - before
            memory, its_own = memory_mb(process, "Pss"), memory_mb(process, "Anonymous")
            # Now: Telegraf publishes the window that is open when it is stopped.
            means = read_means(got, system).get(start // WINDOW_S, {})
    if len(means) != DEVICES:
        fail(f"{system.name}: found means of {len(means)} devices for the window at {start}, expected {DEVICES}")
    return Figures(system.name, messages, used / messages * 1e6, memory, its_own, means)


def most(bench, stages, messages):
    """Messages a second through these stages, when the publisher sends as fast as the broker takes them."""
    with bench.broker():
        with bench.process(bench.stream("most", stages), "most", out=subprocess.PIPE) as process:
            bench.wait_for_subscription("sensors/+/temperature")
            begun = time.monotonic()
            bench.publish(1_000_000, 0, messages, period_ms=0.1)
            published = time.monotonic() - begun
            report = json.loads(process.stdout.read())
            took = time.monotonic() - begun
    for link in report["ledger"]:
        if link["in"] != link["out"] + link["in_flight"] + sum(link["dropped"].values()):
            fail(f"the ledger of {link['link']} does not add up: {link}")
    return messages / took, messages / published


def equal(left, right):
    return left.keys() == right.keys() and all(math.isclose(left[name], right[name], rel_tol=1e-9) for name in left)


def rows(moru, node_red, node, telegraf, rate_hz, messages):
    systems = [Moru("received"), Moru("stored")]
    if node_red:
        systems.append(NodeRed(node_red, node))
    if telegraf:
        systems.append(Telegraf(telegraf))
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(pathlib.Path(name), moru)
        own, stored, *peers = [measure(bench, system, rate_hz) for system in systems]
        through, published = most(bench, Moru.stages(bench, "received", f", items: {messages}"), messages)
        bare, _ = most(bench, [Moru.stages(bench, "received", f", items: {messages}")[0], "{name: out, stage: 'null', inputs: [in]}"], messages)
    what = f"MQTT in → filter → 10 s mean of 1,000 devices → MQTT out, {rate_hz:,} messages/s, QoS 1"
    same = all(equal(own.means, other.means) for other in (stored, *peers))
    told = "; ".join(f"{peer.name} {peer.cpu_us:.1f} µs" for peer in peers)
    cpu = min((peer.cpu_us for peer in peers), default=math.inf)
    memory = min((peer.pss_mb for peer in peers), default=math.inf)
    result = [
        row(f"{what}: means of the window", "the same from all", "the same" if same else "**differ**", same),
        row(
            f"{what}: CPU time a message",
            "≤ 1/5 of the better peer's",
            f"{own.cpu_us:.1f} µs, {stored.cpu_us:.1f} µs when acknowledged after storing; {told}",
            own.cpu_us <= cpu / 5,
        ),
        row(
            f"{what}: memory (PSS; what is no file's)",
            "≤ 1/4 of the better peer's",
            f"{own.pss_mb:.1f} MB ({own.own_mb:.1f} of its own), {stored.pss_mb:.1f} ({stored.own_mb:.1f}) when acknowledged after storing; "
            + "; ".join(f"{peer.name} {peer.pss_mb:.0f} ({peer.own_mb:.0f})" for peer in peers),
            own.pss_mb <= memory / 4,
        ),
        row(
            "the same, as fast as one publisher and the broker can",
            "all that the broker delivers",
            f"{through:,.0f} messages/s; a source that only counts {bare:,.0f}; the publisher {published:,.0f}",
            through >= 0.9 * min(bare, published),
        ),
    ]
    return result
