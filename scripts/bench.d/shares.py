"""Where the daemons' time goes: `perf record` on both while TCP or UDP goes from `a` to `b`, a column for each
daemon and kind of traffic. A sample belongs to the call into the kernel in which it was taken, else to the library."""
import collections
import os
import re
import shutil
import subprocess
import sys

from measure import cpu_seconds, iperf, reachable, udp_load
from place import wait_for

SECONDS = 4
TCP_PAYLOAD = 1368  # bytes of a full segment in 1420: IPv4, TCP, timestamps
UDP_LOADS = ((64, 100_000), (1400, 40_000))
HERTZ = 1999

# (stage, how a function in the sample's call chain begins); the first that fits counts
IN_KERNEL = (("write to the TUN, and the receiving stack behind it", ("tun_chr_write_iter",)),
             ("read from the TUN", ("tun_chr_read_iter",)),
             ("send to UDP, and the link and the other socket behind it", ("__sys_sendmmsg", "__sys_sendmsg")),
             ("receive from UDP", ("__sys_recvmmsg", "do_recvmmsg")),
             ("wait for events", ("do_epoll_wait",)))
REST_OF_KERNEL = "the rest of the kernel: switches, interrupts"
CIPHER, LIBRARIES, TUND = "the packet cipher", "libc, libuv", "tund itself"
STAGES = (CIPHER, TUND, LIBRARIES, *(stage for stage, _ in IN_KERNEL), REST_OF_KERNEL)
CIPHER_LIBRARY = re.compile(r"IPSec_MB|libcrypto|libsodium|boringssl", re.I)


def stage_of(frames):
    """frames: (function, file) of one sample, innermost first."""
    for stage, beginnings in IN_KERNEL:
        if any(function.startswith(beginnings) for function, _ in frames):
            return stage
    _, file = frames[0]
    if file.startswith("[kernel") or file.startswith("[unknown"):
        return REST_OF_KERNEL
    if CIPHER_LIBRARY.search(file):
        return CIPHER
    return LIBRARIES if ".so" in file or file == "[vdso]" else TUND


def shares(script):
    """stage -> percent, of what `perf script -F comm,ip,sym,dso` prints."""
    counts = collections.Counter()
    for sample in re.split(r"\n\s*\n", script):
        frames = re.findall(r"^\s+[0-9a-f]+ (.*) \((.*)\)$", sample, re.M)
        if frames:
            counts[stage_of(frames)] += 1
    total = sum(counts.values())
    return {stage: 100 * counts[stage] / total for stage in STAGES} if total else {}


def record(daemons, run_load):
    """[shares of each daemon], microseconds of each for a packet. run_load(): packets that arrived."""
    perfs = [subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(HERTZ), "-g", "-o",
                               f"/run/perf.{d.pid}", "-p", str(d.pid)], stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) for d in daemons]
    before = [cpu_seconds([d]) for d in daemons]
    try:
        packets = run_load()
    finally:
        for perf in perfs:
            perf.terminate()  # it writes what it has
            perf.wait()
    each = [1e6 * (cpu_seconds([d]) - b) / max(packets, 1) for d, b in zip(daemons, before)]
    columns = []
    for daemon, perf in zip(daemons, perfs):
        done = subprocess.run(["perf", "script", "-i", f"/run/perf.{daemon.pid}", "-F", "comm,ip,sym,dso"],
                              capture_output=True, text=True)
        column = shares(done.stdout)
        if not column:
            sys.exit(f"bench: perf has no samples: {perf.stderr.read()} {done.stderr}")
        columns.append(column)
    return columns, each


def tcp_packets(system, told):
    end = iperf(system.address, "--time", str(SECONDS))
    told["rate"] = end["sum_received"]["bits_per_second"] / 1e9
    told["ends"] = [end["cpu_utilization_percent"][side] for side in ("host_total", "remote_total")]
    return end["sum_received"]["bytes"] / TCP_PAYLOAD


def measure(system, build):
    """The table, as text."""
    if not shutil.which("perf"):
        sys.exit("bench: --profile needs perf: scripts/bench --install installs Debian's linux-perf")
    told, columns = {}, {}
    system.start()
    try:
        wait_for("a first ping", lambda: reachable(system), 20)
        loads = {"TCP": lambda: tcp_packets(system, told)}
        for length, pps in UDP_LOADS:
            loads[f"UDP {length} B"] = (lambda n=length, r=pps:
                                        udp_load(system, load_program(build), SECONDS, n, r)["received"])
        for name, run_load in loads.items():
            got, each = record(system.daemons, run_load)
            for side, column, us in zip(("sends", "receives"), got, each):
                columns[f"{name}, {side}"] = (us, column)
    finally:
        system.stop()
    return table(columns) + (f"\n\nTCP: {told['rate']:.2f} Gbit/s, while iperf3 took {told['ends'][0]:.0f} % of a core "
                             f"to send and {told['ends'][1]:.0f} % to receive. UDP: at "
                             + " and ".join(f"{pps:,} a second" for _, pps in UDP_LOADS) + ".\n")


def load_program(build):
    return os.path.join(os.path.abspath(build), "tund/tests/bench/relayload")


def table(columns):
    """columns: name -> (us a packet, stage -> percent)."""
    lines = ["| | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 1) + "|",
             "| us a packet | " + " | ".join(f"{us:.2f}" for us, _ in columns.values()) + " |"]
    lines += [f"| {stage} | " + " | ".join(f"{column[stage]:.0f} %" for _, column in columns.values()) + " |"
              for stage in STAGES]
    return "\n".join(lines)
