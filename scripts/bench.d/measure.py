"""One system's turn: ping while idle, TCP, UDP, and what its daemons cost."""
import json
import os
import re
import statistics
import subprocess

from place import inside, wait_for

LOSS_MAX_PERCENT = 1.0
UDP_LENGTHS = (64, 1400)
EVERYTHING = ("ping", "tcp", "tcp4", "udp")


def cpu_seconds(daemons):
    """Of all threads, to the nanosecond (/proc/PID/task/TID/schedstat)."""
    total = 0
    for daemon in daemons:
        for task in os.listdir(f"/proc/{daemon.pid}/task"):
            with open(f"/proc/{daemon.pid}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0])
    return total / 1e9


def resident_mib(daemons):
    """Of the largest."""
    sizes = []
    for daemon in daemons:
        with open(f"/proc/{daemon.pid}/status") as status:
            sizes.append(int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024)
    return max(sizes, default=0)


def iperf(address, *options):
    server = subprocess.Popen(["ip", "netns", "exec", "b", "iperf3", "--server", "--one-off"],
                              stdout=subprocess.DEVNULL)
    try:
        wait_for("iperf3's server", lambda: ":5201" in inside("b", "ss", "-Hltn"))
        text = inside("a", "iperf3", "--json", "--client", address["b"], *options)
        server.wait(10)
        return json.loads(text)["end"]
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def tcp(system, seconds, *options):
    """Gbit/s and bytes."""
    end = iperf(system.address, "--time", str(seconds), *options)
    return end["sum_received"]["bits_per_second"] / 1e9, end["sum_received"]["bytes"]


def nothing_half_assembled():
    """IP fragments whose packet never became whole: they are forgotten after a second (place.py)."""
    return "FRAG: inuse 0 " in inside("b", "cat", "/proc/net/sockstat")


def udp_load(system, load, seconds, length, pps):
    """What `load` (relayload) says of one datagram a time from a to b."""
    return json.loads(inside("a", load, "--straight", "/run/netns/b", "--to", system.address["b"], "--local",
                             system.address["a"], "--size", str(length), "--rate", str(int(pps)),
                             "--seconds", str(seconds)))


def udp_rate(system, load, seconds, length, pps):
    """What arrived per second, or 0 where 1 % or more was lost. What an earlier rate left in the way is gone
    when it begins."""
    wait_for("the end of old fragments", nothing_half_assembled)
    got = udp_load(system, load, seconds, length, pps)
    if not got["sent"] or 100 * (got["sent"] - got["received"]) >= LOSS_MAX_PERCENT * got["sent"]:
        return 0
    return got["received"] / got["seconds"]


def search(rate_at, hint, steps, widest=(8000, 500000)):
    """The highest rate that arrives, by bisection. rate_at(pps): what arrived, or 0. Without a hint it takes
    two steps more, since the range is wider."""
    low, high = (hint / 1.6, hint * 1.6) if hint else widest
    best = 0
    for _ in range(steps if hint else steps + 2):
        middle = (low * high) ** 0.5
        # One hiccup of a shared machine loses 1 %: a rate has two tries.
        rate = rate_at(middle) or rate_at(middle)
        best = max(best, rate)
        if rate >= 0.93 * middle:
            low = middle
        else:
            high = middle
    return best


def ping(system, count):
    text = inside("a", "ping", "-c", str(count), "-i", "0.005", system.address["b"])
    times = sorted(float(t) * 1000 for t in re.findall(r"time=([\d.]+)", text))
    return statistics.median(times), times[int(len(times) * 0.99)]


def reachable(system):
    command = ["ip", "netns", "exec", "a", "ping", "-q", "-c", "1", "-W", "1", system.address["b"]]
    return subprocess.run(command, capture_output=True).returncode == 0


def measure_tcp(system, o, got):
    before = cpu_seconds(system.daemons)
    got["TCP a-b Gbit/s"], bytes_one = tcp(system, o.seconds)
    got["TCP b-a Gbit/s"], bytes_two = tcp(system, o.seconds, "--reverse")
    if system.daemons:
        got["CPU s/GB"] = (cpu_seconds(system.daemons) - before) / ((bytes_one + bytes_two) / 1e9)


def measure(system, o, hint, what=EVERYTHING):
    """One turn. `hint`: what the last turn found, or {}."""
    got = {}
    system.start()
    try:
        wait_for("a first ping", lambda: reachable(system), 20)
        if system.daemons:
            got["RSS idle MiB"] = resident_mib(system.daemons)
        if "ping" in what:
            got["ping us"], got["ping p99 us"] = ping(system, o.pings)
        if "tcp" in what:
            measure_tcp(system, o, got)
        if "tcp4" in what:
            got["TCP 4 streams a-b Gbit/s"] = tcp(system, o.seconds, "--parallel", "4")[0]
            got["TCP 4 streams b-a Gbit/s"] = tcp(system, o.seconds, "--parallel", "4", "--reverse")[0]
        for length in UDP_LENGTHS if "udp" in what else ():
            key = f"UDP {length} B pps"
            load = os.path.join(os.path.abspath(o.build), "tund/tests/bench/relayload")
            seconds = 0.4 if o.quick else 1
            got[key] = search(lambda pps, n=length: udp_rate(system, load, seconds, n, pps), hint.get(key),
                              o.steps)
        if system.daemons:
            got["RSS after MiB"] = resident_mib(system.daemons)
    finally:
        system.stop()
    return got
