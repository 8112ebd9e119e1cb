"""Unit tests of scripts/bench: python3 -B -m unittest discover -s scripts/bench.d -p '*_test.py'"""
import unittest
import xml.etree.ElementTree

import bars
import install
import measure
import report
import shares
import stages

STANZA = "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n"
BARE = {"ping us": 40, "UDP 64 B pps": 100000}
GO = {"TCP a-b Gbit/s": 1.0, "TCP b-a Gbit/s": 1.0, "CPU s/GB": 8.0, "UDP 64 B pps": 20000,
      "UDP 1400 B pps": 20000, "ping us": 540, "ping p99 us": 900, "RSS after MiB": 800,
      "TCP 4 streams a-b Gbit/s": 1.0, "TCP 4 streams b-a Gbit/s": 1.0}
GOOD = {"TCP a-b Gbit/s": 2.2, "TCP b-a Gbit/s": 2.3, "CPU s/GB": 3.0, "UDP 64 B pps": 90000,
        "UDP 1400 B pps": 80000, "ping us": 140, "ping p99 us": 900, "RSS after MiB": 5,
        "TCP 4 streams a-b Gbit/s": 2.2, "TCP 4 streams b-a Gbit/s": 3.0}


def verdicts(tund, **others):
    rows = bars.tunnel_rows({"bare veth": BARE, "wireguard-go": GO, "tund": tund, **others})
    return {what: verdict for what, _, _, verdict in rows}


class Report(unittest.TestCase):
    def test_medians_take_the_middle_round_of_each_figure(self):
        rounds = [{"x": 1, "y": 9}, {"x": 5, "y": 1}, {"x": 3, "y": 2}]
        self.assertEqual(report.medians({"tund": rounds}), {"tund": {"x": 3, "y": 2}})

    def test_a_rival_that_was_left_out_is_told(self):
        results = {"tund": [{}], "n2n": [{}], "tinc": [{}, {}], "fastd": []}
        self.assertEqual(report.left_out(results, 2, ("tund",)),
                         "n2n came up in 1 of 2 rounds.\nfastd came up in 0 of 2 rounds.\n")

    def test_the_table_has_a_row_for_each_system_and_a_ratio_for_each_rival(self):
        text = report.table({"tund": {"x": 3.0}, "nebula": {"x": 1.5, "z": 0}}).splitlines()
        self.assertEqual(text[0], "| | x | z |")
        self.assertEqual(text[2:], ["| tund | 3.00 | - |", "| nebula | 1.50 | 0.00 |",
                                    "| *tund / nebula* | 2.00 | - |"])

    def test_the_plot_is_xml_with_a_bar_for_each_figure(self):
        tree = xml.etree.ElementTree.fromstring(report.svg([{"tund": {"a<b": 4}, "n": {"a<b": 2}}]))
        self.assertEqual([float(r.get("width")) for r in tree.iter("{http://www.w3.org/2000/svg}rect")],
                         [420, 210])


class Bars(unittest.TestCase):
    def test_figures_at_the_bars_pass(self):
        got = verdicts(GOOD)
        self.assertEqual({w for w, v in got.items() if v == "falls short"}, set())
        self.assertEqual(sum(v == "pass" for v in got.values()), 11)

    def test_a_figure_below_its_bar_falls_short(self):
        for key, value in (("TCP a-b Gbit/s", 2.19), ("TCP 4 streams b-a Gbit/s", 2.1), ("CPU s/GB", 3.4),
                           ("UDP 64 B pps", 84000), ("UDP 1400 B pps", 69000), ("ping us", 240),
                           ("ping p99 us", 901), ("RSS after MiB", 12.1)):
            self.assertIn("falls short", verdicts({**GOOD, key: value}).values(), key)

    def test_what_was_not_measured_does_not_pass(self):
        got = verdicts({})
        self.assertEqual(set(got.values()), {"not measured"})
        self.assertIn("0 pass, 0 fall short", bars.bars_table(bars.tunnel_rows({})))

    def test_each_rival_has_its_bar(self):
        got = verdicts({**GOOD, "TCP a-b Gbit/s": 8.9}, **{"wireguard-go 12": GO, "nebula": GO})
        self.assertEqual(got["TCP a-b, one stream, against wireguard-go 12"], "falls short")
        self.assertEqual(got["TCP a-b, one stream, against nebula"], "pass")


    def test_the_floor_is_what_a_tunnel_that_does_nothing_adds(self):
        middle = {"bare veth": BARE, "wireguard-go": GO, "tund": GOOD, "bare TUN": {"ping us": 90}}
        self.assertIn("add 0.10, tund 0.20", bars.floor(middle))
        self.assertEqual(bars.floor({"bare veth": BARE, "wireguard-go": GO, "tund": GOOD}), "")

    def test_the_relay_is_measured_against_coturn(self):
        coturn = {"64 B pps": 80000, "1400 B pps": 80000, "64 B CPU us": 9, "1400 B CPU us": 9}
        ours = {"64 B pps": 240000, "1400 B pps": 239000, "64 B trains pps": 800000,
                "1400 B trains pps": 790000, "64 B CPU us": 3, "1400 B CPU us": 3.1, "idle KiB each": 8}
        got = [verdict for *_, verdict in bars.relay_rows({"coturn": coturn, "tund-coord": ours})]
        self.assertEqual(got, ["pass", "pass", "pass"] + ["falls short"] * 3 + ["pass"])


    def test_a_flood_may_cost_a_tenth_and_a_newcomer_a_second(self):
        flooded = {"goodput left": 0.9, "new handshake p95 ms": 1000}
        self.assertEqual([v for *_, v in bars.flood_rows({"tund flooded": flooded})], ["pass", "pass"])
        flooded = {"goodput left": 0.89, "new handshake p95 ms": 1001}
        self.assertEqual([v for *_, v in bars.flood_rows({"tund flooded": flooded})], ["falls short"] * 2)

    def test_the_cipher_in_use_is_held_against_the_fastest(self):
        micro = stages.parse("seal 1420 bytes, A       500.0\nopen 1420 bytes, A   500.0\n"
                             "seal 1420 bytes, B 560\nopen 1420 bytes, B 550.0\n"
                             "handshakes a second and core, responder 2999\n")
        self.assertEqual([v for *_, v in bars.stage_rows({**micro, "cipher": "B"})],
                         ["falls short", "falls short"])
        self.assertEqual(bars.stage_rows({**micro, "cipher": "A"})[0][3], "pass")
        self.assertEqual(bars.stage_rows(micro)[0][3], "not measured")


class Search(unittest.TestCase):
    def find(self, limit, hint, steps=12):
        return measure.search(lambda pps: pps if pps <= limit else 0, hint, steps)

    def test_it_comes_close_to_the_limit_from_below(self):
        for limit in (9000, 50000, 250000):
            self.assertTrue(0.99 * limit <= self.find(limit, None) <= limit)
            self.assertTrue(0.99 * limit <= self.find(limit, limit * 1.2) <= limit)

    def test_a_system_that_loses_at_every_rate_has_none(self):
        self.assertEqual(self.find(0, None), 0)

    def test_one_loss_does_not_condemn_a_rate(self):
        answers = iter([0, 45000])
        self.assertEqual(measure.search(lambda pps: next(answers), 45000, 1), 45000)


SAMPLES = """tund
\tffffffff81b69d34 _copy_from_iter ([kernel.kallsyms])
\tffffffff81e2f694 __sys_sendmmsg ([kernel.kallsyms])
\t          10b0c3 __sendmmsg (/usr/lib/libc.so.6)

tund
\t          753b7e update_256 (/usr/lib/libIPSec_MB.so.1.3.0)
\t           308d7 seal (/build/tund/tund)

tund
\t           308d7 seal (/build/tund/tund)

tund
\tffffffff81b69d34 irqentry_exit ([kernel.kallsyms])
"""


class Shares(unittest.TestCase):
    def test_a_sample_belongs_to_its_system_call_or_else_to_its_library(self):
        got = {stage: share for stage, share in shares.shares(SAMPLES).items() if share}
        send = next(stage for stage in shares.STAGES if stage.startswith("send to UDP"))
        self.assertEqual(got, {send: 25, shares.CIPHER: 25, shares.TUND: 25, shares.REST_OF_KERNEL: 25})

    def test_no_samples_are_no_shares(self):
        self.assertEqual(shares.shares(""), {})

    def test_each_stage_has_its_row(self):
        column = {stage: 12.5 for stage in shares.STAGES}
        lines = shares.table({"TCP, sends": (1.234, column)}).splitlines()
        self.assertEqual(lines[2], "| us a packet | 1.23 |")
        self.assertEqual(len(lines), 3 + len(shares.STAGES))


class Install(unittest.TestCase):
    def test_the_backports_list_differs_in_its_suite_only(self):
        self.assertEqual(install.list_of(STANZA, "bookworm-backports"),
                         STANZA.replace("bookworm bookworm-updates", "bookworm-backports"))

    def test_the_stanza_is_the_one_that_names_the_suite(self):
        other = "Types: deb\nURIs: http://mirror.example/security\nSuites: bookworm-security\n"
        self.assertEqual(install.stanza_in(f"{other}\n{STANZA}"), STANZA)
        self.assertIsNone(install.stanza_in(other))


if __name__ == "__main__":
    unittest.main()
