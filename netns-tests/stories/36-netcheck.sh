#!/bin/bash
# tundctl netcheck tells what each kind of NAT does, and what else the network lets through.
#
#        coord (55.1.0.10 and 55.1.0.11, two ports each)
#          |
#        inet
#          | 20 ms
#        home-r (of one kind after the other)
#          |
#        home
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord --listen "$COORD_IP" --listen "$COORD_IP_2"
lab_home home port-restricted hairpin=1
lab_home open public
overlay_members home open

# Without a daemon: the coordinator of the state.
check() { tundctl "$1" netcheck --json; }
measure_ms took check home >"$LAB_DIR/report" || diag "netcheck ends with status $?"
report() { jq -r "$1" "$LAB_DIR/report"; }
assert_le "without a daemon it takes less than 5 s (ms)" "$took" 5000
assert_eq "its mapping" "$(report .v4.mapping)" endpoint-independent
assert_eq "it is sure of that, with two addresses" "$(report .v4.mapping_sure)" true
assert_eq "ports are kept" "$(report .v4.ports)" preserved
assert_eq "it has a hairpin" "$(report .v4.hairpin)" true
assert_eq "whole packets reach the coordinator" "$(report .v4.mtu)" 1500
assert_eq "the coordinator takes TLS on TCP 443" "$(report .tcp443)" open
assert_eq "there is no captive portal" "$(report .captive_portal.state)" no
assert_eq "the coordinator has no IPv6 address" "$(report .v6)" null
tundctl open netcheck --json >"$LAB_DIR/report"
assert_eq "without a NAT it says so" "$(report .v4.mapping)" none

# With the daemon it also knows what comes in unasked.
overlay_up home
closed() { [[ $(check home | jq -r .v4.filtering) == address-and-port-dependent ]]; }
assert_soon "the daemon knows the filtering" 15 closed
assert_match "in words" "$(tundctl home netcheck)" 'only packets of who we have sent to come in'
lab_nat home symmetric
lab_stop tund-home || diag "tund ends with status $?"
tundctl home netcheck --json >"$LAB_DIR/report"
assert_eq "a symmetric NAT" "$(report .v4.mapping)" address-and-port-dependent
assert_eq "which draws ports" "$(report .v4.ports)" random
assert_eq "from all there are" "$(report .v4.port_range)" null

# a gateway that drops all UDP, and answers HTTP in the coordinator's place
lab_spawn portal home-r python3 -c '
from http.server import BaseHTTPRequestHandler, HTTPServer
class Portal(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", "http://login.example.net/hotel")
        self.end_headers()
HTTPServer(("0.0.0.0", 8080), Portal).serve_forever()'
wait_until 5 lab_listens home-r 8080 || lab_die "the portal does not start"
lab_exec home-r nft -f - <<'RULES'
add rule ip nat forward meta l4proto udp drop
add rule ip nat prerouting iifname lan tcp dport 80 redirect to :8080
RULES
"$LAB_TOOLS/ctflush" home-r
measure_ms took assert_status "no UDP: exit code 4" 4 check home
assert_le "and that is known in less than 5 s (ms)" "$took" 5000
said=$(tundctl home netcheck || echo "status $?")
assert_match "it says so" "$said" 'UDP is blocked'
assert_match "and that a captive portal is likely, and where" "$said" 'captive portal  likely.*login.example.net'
