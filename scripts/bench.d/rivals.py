"""How each system is started between the two namespaces: a class for each, start() and stop().

Every daemon runs in the foreground as a child of ours, with keys made for this run. The inner MTU is
1420 where it can be set. Ciphers are what the program takes by itself, but for OpenVPN, which
is told AES-256-GCM, what its peers agree on by default.
"""
import os
import shutil
import subprocess

from place import INNER, MTU, OUTER, inside, run, wait_for

PAIRS = (("a", "b"), ("b", "a"))


class Bare:
    """The veth pair, without any tunnel."""
    address = OUTER
    daemons = ()

    def start(self):
        pass

    def stop(self):
        pass


class Tunnel:
    """A daemon on each side; `daemons` are the processes."""
    address = INNER

    def __init__(self, program):
        self.program = program
        self.daemons = []

    def start(self):
        self.daemons = []
        for host, other in PAIRS:
            self.start_one(host, other)

    def spawn(self, host, *command):
        with open(f"/run/{host}.log", "a") as log:
            self.daemons.append(subprocess.Popen(["ip", "netns", "exec", host, *command],
                                                 stdout=log, stderr=log, stdin=subprocess.DEVNULL))

    def stop(self):
        for daemon in self.daemons:
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def interface_up(host, name):
    """An address and the MTU for an interface that its daemon has just made."""
    wait_for(f"{name} in {host}", lambda: name in run("ip", "-n", host, "-br", "link"))
    run("ip", "-n", host, "addr", "add", INNER[host] + "/24", "dev", name)
    run("ip", "-n", host, "link", "set", name, "mtu", str(MTU), "up")


def folder(*names):
    path = os.path.join("/run/bench", *names)
    os.makedirs(path, exist_ok=True)
    return path


def write(path, text, mode=0o600):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


class WireGuard(Tunnel):
    """tund and wireguard-go take the same commands."""

    def start(self):
        private = {host: run("wg", "genkey").strip() for host in OUTER}
        public = {host: run("wg", "pubkey", input=private[host]).strip() for host in OUTER}
        self.daemons = []
        for host, other in PAIRS:
            name = "wg" + host
            self.spawn(host, self.program, "-f", name)
            wait_for(f"{name}'s socket", lambda: os.path.exists(f"/run/wireguard/{name}.sock"))
            inside(host, "wg", "setconf", name, "/dev/stdin", input=(
                f"[Interface]\nPrivateKey={private[host]}\nListenPort=51820\n[Peer]\n"
                f"PublicKey={public[other]}\nAllowedIPs={INNER[other]}/32\n"
                f"Endpoint={OUTER[other]}:51820\n"))
            interface_up(host, name)


class BareTun(Tunnel):
    """The least that a tunnel through a TUN may take: baretun copies, and does nothing else."""
    kinds = ("ping",)

    def start_one(self, host, other):
        self.spawn(host, self.program, f"bare{host}", OUTER[host], OUTER[other])
        interface_up(host, f"bare{host}")


class Nebula(Tunnel):
    def start(self):
        where = folder("nebula")
        cert = os.path.join(os.path.dirname(self.program), "nebula-cert")
        for old in os.listdir(where):
            os.unlink(os.path.join(where, old))
        run(cert, "ca", "-name", "bench", cwd=where)
        for host in OUTER:
            run(cert, "sign", "-name", host, "-ip", INNER[host] + "/24", cwd=where)
        super().start()

    def start_one(self, host, other):
        where = folder("nebula")
        config = os.path.join(where, host + ".yml")
        write(config, f"""
pki: {{ca: {where}/ca.crt, cert: {where}/{host}.crt, key: {where}/{host}.key}}
static_host_map: {{"{INNER[other]}": ["{OUTER[other]}:4242"]}}
lighthouse: {{am_lighthouse: {str(host == "b").lower()}, hosts: [{INNER["b"] if host == "a" else ""}]}}
listen: {{host: 0.0.0.0, port: 4242}}
tun: {{dev: neb{host}, mtu: {MTU}}}
logging: {{level: error}}
firewall: {{outbound: [{{port: any, proto: any, host: any}}], inbound: [{{port: any, proto: any, host: any}}]}}
""")
        self.spawn(host, self.program, "-config", config)


class Fastd(Tunnel):
    def start(self):
        self.key = {}
        for host in OUTER:
            secret = run(self.program, "--generate-key", "--machine-readable").strip()
            path = os.path.join(folder("fastd"), host + ".secret")
            write(path, f'secret "{secret}";\n')
            public = run(self.program, "--show-key", "--machine-readable", "--config", path).strip()
            self.key[host] = (secret, public)
        super().start()

    def start_one(self, host, other):
        config = os.path.join(folder("fastd"), host + ".conf")
        write(config, f"""
mode tun; interface "fastd{host}"; bind {OUTER[host]}:10000; mtu {MTU}; log level error;
method "salsa2012+umac"; secret "{self.key[host][0]}";
peer "{other}" {{ key "{self.key[other][1]}"; remote {OUTER[other]}:10000; }}
""")
        self.spawn(host, self.program, "--config", config)
        interface_up(host, f"fastd{host}")


class OpenVpn(Tunnel):
    def start(self):
        self.print = {}
        for host in OUTER:
            base = os.path.join(folder("openvpn"), host)
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-keyout", base + ".key", "-out", base + ".crt", "-subj", f"/CN={host}",
                "-days", "2")
            text = run("openssl", "x509", "-fingerprint", "-sha256", "-noout", "-in", base + ".crt")
            self.print[host] = text.strip().split("=", 1)[1]
        super().start()

    def start_one(self, host, other):
        base = os.path.join(folder("openvpn"), host)
        role = ["--tls-server", "--dh", "none"] if host == "a" else ["--tls-client"]
        self.spawn(host, self.program, *role, "--dev", f"ovpn{host}", "--dev-type", "tun",
                   "--proto", "udp", "--local", OUTER[host], "--remote", OUTER[other],
                   "--port", "1194", "--ifconfig", INNER[host], INNER[other],
                   "--cert", base + ".crt", "--key", base + ".key",
                   "--peer-fingerprint", self.print[other], "--data-ciphers", "AES-256-GCM",
                   "--tun-mtu", str(MTU), "--mssfix", "0", "--verb", "1")


class Tinc(Tunnel):
    def start(self):
        for host, other in PAIRS:
            where = folder("tinc", host)
            folder("tinc", host, "hosts")
            write(f"{where}/tinc.conf", f"Name = {host}\nConnectTo = {other}\nInterface = tinc{host}\n"
                  "AddressFamily = ipv4\n")
            write(f"{where}/tinc-up", f"#!/bin/sh\nip addr add {INNER[host]}/24 dev $INTERFACE\n"
                  f"ip link set $INTERFACE mtu {MTU} up\n", 0o700)
            write(f"{where}/hosts/{host}", f"Address = {OUTER[host]}\nSubnet = {INNER[host]}/32\n")
            if not os.path.exists(f"{where}/rsa_key.priv"):
                run(self.program, "-c", where, "-K2048", stdin=subprocess.DEVNULL)
            else:
                with open(f"{where}/host.pub") as file:
                    write(f"{where}/hosts/{host}", file.read())
            shutil.copy(f"{where}/hosts/{host}", f"{where}/host.pub")
        for host, other in PAIRS:
            shutil.copy(f"/run/bench/tinc/{host}/hosts/{host}", f"/run/bench/tinc/{other}/hosts/{host}")
        super().start()

    def start_one(self, host, other):
        self.spawn(host, self.program, "-D", "-c", f"/run/bench/tinc/{host}",
                   f"--pidfile=/run/tinc.{host}.pid")


class N2n(Tunnel):
    """Version 1, as Debian 12 has it; its supernode, which only introduces them, counts as a daemon."""

    def start(self):
        supernode = shutil.which("supernode")
        self.daemons = []
        self.spawn("b", supernode, "-l", "7777")
        for host in OUTER:
            self.spawn(host, self.program, "-d", f"n2n{host}", "-a", INNER[host], "-c", "bench",
                       "-k", "bench", "-u", "0", "-g", "0", "-l", f"{OUTER['b']}:7777")


def rivals(cache):
    """name -> (class, program) of those that are there."""
    newest = os.environ.get("WIREGUARD_GO") or os.path.join(cache, "wireguard-go")
    programs = (("wireguard-go", WireGuard, newest),
                ("wireguard-go 12", WireGuard, os.path.join(cache, "wireguard-go-12")),
                ("nebula", Nebula, "nebula"), ("fastd", Fastd, "fastd"),
                ("openvpn", OpenVpn, "openvpn"), ("tinc", Tinc, "tincd"), ("n2n", N2n, "edge"))
    found = {name: kind(shutil.which(program)) for name, kind, program in programs
             if shutil.which(program)}
    if "wireguard-go 12" not in found and shutil.which("wireguard-go"):
        found["wireguard-go 12"] = WireGuard(shutil.which("wireguard-go"))
    return found


def systems(build, cache):
    ours = os.path.join(os.path.abspath(build), "tund")
    return {"bare veth": Bare(), "bare TUN": BareTun(os.path.join(ours, "tests/bench/baretun")),
            "tund": WireGuard(os.path.join(ours, "tund")), **rivals(cache)}
