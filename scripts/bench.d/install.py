"""Installs the rivals from Debian's archive.

Both versions of wireguard-go lie side by side in a folder of ours, unpacked and not
installed: that of Debian 12, and the newest of its backports. Where packages come from is what this machine's
own lists say; the list for the backports is derived from them, and only we see it.
"""
import glob
import os
import re
import shutil
import sys
import tempfile

from place import run

PACKAGES = ("iperf3", "iputils-ping", "wireguard-tools", "openssl", "nebula", "fastd", "openvpn",
            "tinc", "n2n", "coturn", "linux-perf")
POLICY = "/usr/sbin/policy-rc.d"
SUITE = "bookworm"


def stanza_in(text):
    """The stanza that names Debian 12 itself, or None."""
    for stanza in re.split(r"\n\s*\n", text):
        suites = re.search(r"^Suites:(.*)$", stanza, re.M)
        if suites and SUITE in suites.group(1).split():
            return stanza.strip() + "\n"
    return None


def archive_stanza():
    """That of this machine's lists."""
    for path in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")):
        with open(path) as file:
            stanza = stanza_in(file.read())
        if stanza:
            return stanza
    return sys.exit(f"bench: no list in /etc/apt/sources.list.d/*.sources names {SUITE}, from which to "
                    "derive that of its backports")


def list_of(stanza, suite):
    return re.sub(r"^Suites:.*$", f"Suites: {suite}", stanza, flags=re.M)


def unpack(suite, target):
    """wireguard-go of one suite as the file `target`."""
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(f"{folder}/lists/partial")
        with open(f"{folder}/list.sources", "w") as file:
            file.write(list_of(archive_stanza(), suite))
        apt = ("apt-get", "-qq", "-o", f"Dir::Etc::sourcelist={folder}/list.sources",
               "-o", "Dir::Etc::sourceparts=/dev/null", "-o", f"Dir::State::lists={folder}/lists",
               "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User=root")
        run(*apt, "update")
        run(*apt, "download", f"wireguard-go/{suite}", cwd=folder)
        package, = glob.glob(f"{folder}/wireguard-go_*.deb")
        run("dpkg-deb", "-x", package, f"{folder}/tree")
        shutil.copy(f"{folder}/tree/usr/bin/wireguard-go", target)
        return run("dpkg-deb", "-f", package, "Version").strip()


def install_packages():
    missing = [p for p in PACKAGES if "ok installed" not in
               run("dpkg-query", "-W", "-f", "${Package} ${Status}\n", p, allow_failure=True)]
    if not missing:
        return
    print(f"bench: installing {', '.join(missing)}", flush=True)
    ours = not os.path.exists(POLICY)
    if ours:  # no daemon is to start because it was installed
        with open(POLICY, "w") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(POLICY, 0o755)
    try:
        run("apt-get", "-qq", "update")
        run("apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq", "-y", "--no-install-recommends",
            "install", *missing, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    finally:
        if ours:
            os.unlink(POLICY)


def install(cache):
    install_packages()
    os.makedirs(cache, exist_ok=True)
    for suite, name in ((SUITE, "wireguard-go-12"), (f"{SUITE}-backports", "wireguard-go")):
        target = os.path.join(cache, name)
        if not os.path.exists(target):
            print(f"bench: {name} is {unpack(suite, target)}", flush=True)
