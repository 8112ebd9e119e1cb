"""Handshakes: TCP goes through the tunnel between `a` and `b` while a third place, `c`, sends `b` 100,000
forged handshakes a second, and honest new peers knock beside it. Before that TCP goes alone, and by turns
beside a control: the same flood at a socket of `b` that nobody reads, which costs what sender and kernel cost."""
import base64
import json
import os
import statistics
import subprocess
import sys
import time

from measure import cpu_seconds, reachable, tcp
from place import inside, run, wait_for

NAME = "tund flooded"
PORT = 51820
CONTROL_PORT = 9
UNREAD = ("import socket, sys\n"
          "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
          "s.bind((sys.argv[1], int(sys.argv[2])))\n"
          "print(flush=True)\n"
          "sys.stdin.read()\n")
RATE = 100_000
HONEST = 40
SOURCES = 16
FLOOD_NET, FLOOD_OUT, FLOOD_IN = "10.79.0.0/16", "10.79.255.1", "10.79.0.1"
HONEST_IN = "10.79.100.1"


def make_third_place():
    """A namespace with a veth pair of its own to b, whose addresses are all local to it."""
    run("ip", "netns", "add", "c")
    run("ip", "-n", "c", "link", "set", "lo", "up")
    run("ip", "link", "add", "v1", "netns", "c", "type", "veth", "peer", "name", "v1", "netns", "b")
    run("ip", "-n", "b", "addr", "add", f"{FLOOD_OUT}/16", "dev", "v1")
    run("ip", "-n", "b", "link", "set", "v1", "up")
    run("ip", "-n", "c", "addr", "add", "10.79.255.2/16", "dev", "v1")
    run("ip", "-n", "c", "link", "set", "v1", "up")
    for third in (*range(2), 100):
        run("ip", "-n", "c", "route", "add", "local", f"10.79.{third}.0/24", "dev", "lo")


def shakeload(build, *arguments, **more):
    command = [os.path.join(os.path.abspath(build), "tund/tests/bench/shakeload"), *map(str, arguments)]
    return subprocess.Popen(["ip", "netns", "exec", "c", *command], stdout=subprocess.PIPE, text=True, **more)


def answer(process):
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit("bench: shakeload failed")
    return json.loads(out)


def add_honest_peers(build, name):
    out, _ = shakeload(build, "peers", HONEST).communicate()
    inside("b", "wg", "addconf", name, "/dev/stdin", input=out)


def start_flood(o, key, port, seconds):
    return shakeload(o.build, "flood", FLOOD_IN, SOURCES, FLOOD_OUT, port, key, RATE, seconds)


def alone_and_control(system, o, key):
    """Goodput of TCP alone, and beside the control, by turns."""
    alone, control = [], []
    unread = subprocess.Popen(["ip", "netns", "exec", "b", sys.executable, "-c", UNREAD, FLOOD_OUT,
                               str(CONTROL_PORT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        unread.stdout.readline()
        for _ in range(2 if o.quick else 5):
            alone.append(tcp(system, max(o.seconds, 2))[0])
            flood = start_flood(o, key, CONTROL_PORT, max(o.seconds, 2) + 0.5)
            control.append(tcp(system, max(o.seconds, 2))[0])
            answer(flood)
    finally:
        unread.stdin.close()
        unread.wait(10)
    return statistics.median(alone), statistics.median(control)


def cost_of_a_forgery(system, o, key):
    """Microseconds of the flooded daemon, with the kernel's part, while nothing else comes."""
    flooded = system.daemons[1:]
    cpu = cpu_seconds(flooded)
    sent = answer(start_flood(o, key, PORT, 2))["sent"]
    return (cpu_seconds(flooded) - cpu) / sent * 1e6


def measure(system, o):
    """Goodput before and during, what the flooded daemon spends, and honest handshakes meanwhile."""
    system.start()
    try:
        name = "wgb"
        wait_for("a first ping", lambda: reachable(system), 20)
        key = base64.b64decode(inside("b", "wg", "show", name, "public-key")).hex()
        add_honest_peers(o.build, name)
        before, control = alone_and_control(system, o, key)
        seconds = 6 if o.quick else 30
        end = time.monotonic() + seconds - max(o.seconds, 2) - 1
        flood = start_flood(o, key, PORT, seconds)
        pause = seconds * 1000 // (HONEST + 4)
        crowd = shakeload(o.build, "honest", HONEST_IN, HONEST, FLOOD_OUT, PORT, key, pause)
        cpu = cpu_seconds(system.daemons)
        during = []
        while not during or time.monotonic() < end:
            during.append(tcp(system, max(o.seconds, 2))[0])
        sent, honest = answer(flood), answer(crowd)
        cpu = cpu_seconds(system.daemons) - cpu
        each = cost_of_a_forgery(system, o, key)
        return {"goodput before Gbit/s": before,
                "goodput beside the control Gbit/s": control,
                "goodput flooded Gbit/s": statistics.median(during),
                "goodput left": statistics.median(during) / before,
                "goodput left, of the control": statistics.median(during) / control,
                "forged a second": sent["sent"] / sent["seconds"],
                "new handshake ms": honest["median_us"] / 1000,
                "new handshake p95 ms": honest["p95_us"] / 1000,
                "daemons' CPU": cpu / sent["seconds"],
                "CPU us a forgery": each}
    finally:
        system.stop()
