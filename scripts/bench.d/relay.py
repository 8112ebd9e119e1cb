"""The relay: tund-coord beside coturn. The relay runs in `b`, its clients in `a` (relayload)."""
import json
import os
import re
import shutil
import subprocess
import sys

from measure import cpu_seconds, resident_mib, search
from place import OUTER, inside, run, wait_for
from rivals import Tunnel, folder, write

IDLE = 1000
IDLE_NET = "10.78.0.0/16"
SIZES = (64, 1400)
NAMES = ("tund-coord", "coturn")


class Relay(Tunnel):
    address = None

    def __init__(self, program, build):
        super().__init__(program)
        self.load = os.path.join(build, "tund/tests/bench/relayload")

    def relayload(self, *options):
        return (self.load, *self.target(), "--local", OUTER["a"], *options)

    def arrived(self, seconds, size, pps, *options):
        """What arrived per second, and datagrams; 0 where 1 % or more was lost."""
        got = json.loads(inside("a", *self.relayload("--size", str(size), "--rate", str(int(pps)),
                                                     "--seconds", str(seconds), *options)))
        if not got["sent"] or got["received"] < 0.99 * got["sent"]:
            return 0, got["received"]
        return got["received"] / got["seconds"], got["received"]


class Coordinator(Relay):
    def start(self):
        self.daemons = []
        where = folder("coord")
        shutil.rmtree(where)
        self.log = "/run/b.coord.log"
        with open(self.log, "w") as log:
            self.daemons.append(subprocess.Popen(
                ["ip", "netns", "exec", "b", self.program, "run", "--state", where, "--listen",
                 OUTER["b"], "--relay-rate", "100G", "--max-members", "4096"],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL))
        wait_for("tund-coord's address", lambda: self.url() is not None)

    def url(self):
        with open(self.log) as file:
            found = re.search(r"^coordinator (\S+)$", file.read(), re.M)
        return found and found.group(1)

    def target(self):
        return "--tund", self.url()


class Coturn(Relay):
    def start(self):
        self.daemons = []
        config = os.path.join(folder("coturn"), "turnserver.conf")
        write(config, f"listening-ip={OUTER['b']}\nrelay-ip={OUTER['b']}\nlistening-port=3478\nno-auth\n"
              "no-tls\nno-dtls\nno-cli\nno-tcp\nno-tcp-relay\nno-rfc5780\nlog-file=/run/coturn.log\n"
              "simple-log\nuserdb=/run/bench/coturn/db\npidfile=/run/coturn.pid\nproc-user=root\n"
              "proc-group=root\n")
        self.spawn("b", self.program, "-c", config)
        wait_for("coturn's socket", lambda: f"{OUTER['b']}:3478" in inside("b", "ss", "-Hlun"))

    def target(self):
        return "--turn", f"{OUTER['b']}:3478"


def relays(build):
    found = {"tund-coord": Coordinator(os.path.join(build, "tund/tund-coord"), build)}
    if shutil.which("turnserver"):
        found["coturn"] = Coturn(shutil.which("turnserver"), build)
    return found


def measure_rate(relay, o, got, key, size, hint, *options):
    """The highest rate, and what a packet costs the relay at it."""
    most = 8_000_000 if options else 500_000
    seconds = 0.5 if o.quick else 1
    best = search(lambda pps: relay.arrived(seconds, size, pps, *options)[0], hint.get(key), o.steps + 1,
                  (20000, most))
    got[key] = best
    before = cpu_seconds(relay.daemons)
    _, packets = relay.arrived(seconds, size, best or 20000, *options)
    got[key.replace("pps", "CPU us")] = (cpu_seconds(relay.daemons) - before) / max(packets, 1) * 1e6


def measure_idle(relay, got):
    """Memory for each of IDLE members that do nothing: what they add, and the whole divided by them."""
    before = resident_mib(relay.daemons)
    crowd = subprocess.Popen(["ip", "netns", "exec", "a", relay.load, *relay.target(), "--local",
                              "10.78.0.1", "--idle", str(IDLE)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if crowd.stdout.readline() != "ready\n":
            sys.exit(f"bench: {IDLE} idle members cannot be had")
        after = resident_mib(relay.daemons)
    finally:
        crowd.stdin.close()
        crowd.wait(10)
    got["idle KiB each"] = (after - before) * 1024 / IDLE
    got["idle KiB each, with the program"] = after * 1024 / IDLE


def make_idle_addresses():
    run("ip", "-n", "a", "route", "add", "local", IDLE_NET, "dev", "lo")
    run("ip", "-n", "b", "route", "add", IDLE_NET, "via", OUTER["a"])


def measure(name, relay, o, hint):
    got = {}
    relay.start()
    try:
        measure_idle(relay, got)
    finally:
        relay.stop()
    relay.start()
    try:
        for size in SIZES:
            measure_rate(relay, o, got, f"{size} B pps", size, hint)
        if name == "tund-coord":  # TURN's clients send no trains
            for size in SIZES:
                measure_rate(relay, o, got, f"{size} B trains pps", size, hint, "--trains")
        got["RSS after MiB"] = resident_mib(relay.daemons)
    finally:
        relay.stop()
    return got
