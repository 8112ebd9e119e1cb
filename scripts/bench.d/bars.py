"""The bars that tund is measured against: each a row with what is wanted, what came out, and whether
it passes. Pure."""
from report import number

TCP = ("TCP a-b Gbit/s", "TCP b-a Gbit/s")
TCP4 = ("TCP 4 streams a-b Gbit/s", "TCP 4 streams b-a Gbit/s")
SLOW = ("nebula", "fastd", "openvpn", "tinc", "n2n")


def ratio(middle, name, key, ours_name="tund", ours_key=None):
    """Our figure over the other's; None where one is missing."""
    ours, other = middle.get(ours_name, {}).get(ours_key or key), middle.get(name, {}).get(key)
    return ours / other if ours is not None and other else None


def at_least(what, got, bar, unit=" times"):
    return row(what, f"at least {bar:g}{unit}", got, unit, got is not None and got >= bar)


def at_most(what, got, bar, unit=" times"):
    return row(what, f"at most {bar:.3g}{unit}", got, unit, got is not None and got <= bar)


def row(what, want, got, unit, passes):
    if got is None:
        return (what, want, "-", "not measured")
    return (what, want, f"{number(got)}{unit}", "pass" if passes else "falls short")


def tunnel_rows(middle):
    rows = []
    for name, bar in (("wireguard-go", 2.2), ("wireguard-go 12", 9), *((n, 7) for n in SLOW)):
        for key in TCP:
            rows.append(at_least(f"{key.split(' G')[0]}, one stream, against {name}",
                                 ratio(middle, name, key), bar))
    for key in TCP4:
        rows.append(at_least(f"{key.split(' G')[0]}, against wireguard-go",
                             ratio(middle, "wireguard-go", key), 2.2))
    rows.append(at_most("daemon CPU per GB, both ends, against wireguard-go",
                        ratio(middle, "wireguard-go", "CPU s/GB"), 0.42))
    rows.append(at_least("UDP 64 B pps against wireguard-go",
                         ratio(middle, "wireguard-go", "UDP 64 B pps"), 4))
    rows.append(at_least("UDP 64 B pps against the bare veth",
                         ratio(middle, "bare veth", "UDP 64 B pps"), 0.85))
    rows.append(at_least("UDP 1400 B pps against wireguard-go",
                         ratio(middle, "wireguard-go", "UDP 1400 B pps"), 3.5))
    rows.append(at_most("added round-trip time, idle, median, against wireguard-go's",
                        added_ping(middle), 0.35))
    rows.append(at_most("round-trip time, idle, p99, against wireguard-go's",
                        ratio(middle, "wireguard-go", "ping p99 us"), 1))
    rows.append(at_most("memory after the run, each daemon",
                        middle.get("tund", {}).get("RSS after MiB"), 12, " MiB"))
    return rows


def relay_rows(middle):
    rows = []
    for size in (64, 1400):
        key = f"{size} B pps"
        rows.append(at_least(f"relay, {size} B, one datagram a call, pps against coturn",
                             ratio(middle, "coturn", key, "tund-coord"), 3))
        rows.append(at_least(f"relay, {size} B, trains, pps against coturn",
                             ratio(middle, "coturn", key, "tund-coord", f"{size} B trains pps"), 10))
        rows.append(at_most(f"relay, {size} B, CPU of a packet against coturn",
                            ratio(middle, "coturn", f"{size} B CPU us", "tund-coord"), 1 / 3))
    rows.append(at_most("relay, each of 1,000 idle members",
                        middle.get("tund-coord", {}).get("idle KiB each"), 8, " KiB"))
    return rows


def flood_rows(middle):
    flooded = middle.get("tund flooded", {})
    return [at_least("goodput under 100,000 forged handshakes a second, of that before",
                     flooded.get("goodput left"), 0.9),
            at_most("new honest handshakes meanwhile, p95", flooded.get("new handshake p95 ms"), 1000, " ms")]


def stage_rows(micro):
    """micro: what bench_stages printed, name -> number."""
    cost = {}
    for name, ns in micro.items():
        kind, _, library = name.partition(" 1420 bytes, ")
        if kind in ("seal", "open") and library:
            cost[library] = cost.get(library, 0) + ns
    ours = cost.get(micro.get("cipher"))
    return [at_most("seal and open 1420 bytes, against the fastest library",
                    ours / min(cost.values()) if ours else None, 1.1),
            at_least("full handshakes per second and core, responder",
                     micro.get("handshakes a second and core, responder"), 3000, "")]


def added_ping(middle, name="tund"):
    ours, bare, other = (middle.get(n, {}).get("ping us") for n in (name, "bare veth", "wireguard-go"))
    if None in (ours, bare, other) or other <= bare:
        return None
    return (ours - bare) / (other - bare)


def floor(middle):
    """A sentence: what of an added round trip no tunnel through a TUN can save."""
    least, ours = added_ping(middle, "bare TUN"), added_ping(middle)
    if None in (least, ours):
        return ""
    return (f"\nOf the round-trip time that wireguard-go adds, a TUN and a socket with nothing between them add "
            f"{number(least)}, tund {number(ours)}.\n")


def bars_table(rows):
    lines = ["| what | bar | measured | |", "| --- | --- | --- | --- |"]
    lines += [f"| {what} | {want} | {got} | {verdict} |" for what, want, got, verdict in rows]
    short = sum(verdict == "falls short" for *_, verdict in rows)
    unknown = sum(verdict == "not measured" for *_, verdict in rows)
    lines.append(f"\n{len(rows) - short - unknown} pass, {short} fall short, {unknown} not measured")
    return "\n".join(lines)
