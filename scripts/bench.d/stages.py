"""The micro-benchmarks: what each stage costs, and which cipher tund has chosen."""
import os
import re
import subprocess

from report import number

PROGRAMS = ("libtunnel/tests/bench/bench_stages", "libtunnel/tests/bench/bench_node",
            "tund/tests/bench/bench_offload", "tund/tests/bench/bench_wake")


def parse(text):
    """Lines of a name and a number, as the programs print them."""
    found = re.findall(r"^(\S.*?)\s+([\d.]+)$", text, re.M)
    return {" ".join(name.split()): float(value) for name, value in found}


def cipher_of(version):
    """The library that `tund --version` names."""
    found = re.search(r"cipher[^\n]*?\b(libsodium|ipsec-mb|BoringSSL|OpenSSL)\b", version)
    return found and found.group(1)


def measure(build):
    micro = {}
    for program in PROGRAMS:
        path = os.path.join(build, program)
        if os.path.exists(path):
            micro.update(parse(subprocess.run([path], check=True, capture_output=True, text=True).stdout))
    version = subprocess.run([os.path.join(build, "tund/tund"), "--version"], check=True,
                             capture_output=True, text=True).stdout
    micro["cipher"] = cipher_of(version)
    return micro


def table(micro):
    lines = ["| stage | ns, or as it says |", "| --- | --- |"]
    lines += [f"| {name} | {number(value) if isinstance(value, float) else value} |"
              for name, value in micro.items()]
    return "\n".join(lines)
