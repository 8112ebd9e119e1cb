#!/bin/bash
# Where UDP is blocked and TCP is not, members connect to each other by TCP: both send a SYN at once, from
# the port at which the coordinator sees them, and each NAT takes the other's for an answer.
#
#                      coord  (UDP 3478, TCP 443)
#                        |
#        ----------------inet-----------------------------
#        |       |       |       |       |       |       |    20 ms links
#       a-r     b-r     c-r     d-r     sa-r    sb-r    pub-r
#        |       |       |       |       |       |       |
#        a       b       c       d    sa, odd    sb     pub
#
# a, b, c: port-restricted, no UDP; c-r answers a SYN that comes too early with a reset, the others drop it.
# d: port-restricted. sa, sb: symmetric, no UDP; odd is a stranger there. pub: no NAT. UDP passes at d and pub.
# time limit: 240 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

megabytes=${MEGABYTES:-20}
size=$((megabytes * 1000000))
sum=$(lab_random_file "$LAB_DIR/file" "$size")

lab_internet
overlay_coord
for home in a b c d; do
    lab_home "$home" port-restricted
done
lab_home sa symmetric hosts=sa,odd
lab_home sb symmetric
lab_home pub public
overlay_members a b c d sa sb pub
for home in a b c sa sb; do
    lab_drop_udp "$home"
done
lab_reset_tcp c
for home in a b; do
    lab_wire "$home" rate=25000 queue=250000 >/dev/null
done

explain() { tundctl "$1" explain "$2" --json | jq -r "$3"; }
over_tcp() { [[ $(overlay_peer "$1" "$2" '"\(.path) \(.transport)"') == "direct tcp" ]]; }
tcp_is() { [[ $(explain "$1" "$2" .tcp.state) == "$3" ]]; }
# asks for the path until it is there, as traffic does
becomes_direct() { overlay_ping "$1" "$2" >/dev/null && over_tcp "$1" "$2" && over_tcp "$2" "$1"; }

# --- relay first, then direct ---
overlay_up a b
assert_soon "the first packet goes by the coordinator" 5 overlay_ping a b
assert_soon "two homes without UDP become direct over TCP" 10 becomes_direct a b
outside="${LAB_EXTERNAL[b]}:[0-9]+"
assert_match "status says so, and where it leads" "$(tundctl a status)" "b .*direct over TCP +$outside "
said=$(tundctl a explain b)
assert_match "explain says why" "$said" 'direct over TCP, because packets were answered on a TCP connection with b'
assert_match "what was tried and what came back" "$said" "TCP between the two gets through.*from port ([0-9]+), which is ${LAB_EXTERNAL[a]}:\1 from outside.*$outside: connected at attempt"
assert_eq "one candidate is a TCP connection, and in use" \
    "$(explain a b '[.candidates[] | select(.transport == "tcp") | "\(.origin) \(.verdict) \(.in_use)"] | join(",")')" "tcp checked true"

# --- the other kinds of end: a router that resets, one where UDP passes, no router ---
resets() { lab_exec c-r nft -j list table inet resets | jq '[.. | .counter? // empty | .packets] | add'; }
overlay_up c d pub
assert_soon "a router that answers a SYN that comes too early with a reset is no obstacle" 40 becomes_direct c a
# d has UDP, so c begins: d's SYN is on its way before c's
assert_soon "nor is it where the other end's comes first" 40 becomes_direct c d
assert_ge "there were such resets" "$(resets)" 1
assert_match "which explain tells" "$(tundctl d explain c)" "${LAB_EXTERNAL[c]}:[0-9]+: connected at attempt ([2-9]|1[0-9])"
assert_soon "a member without NAT is reached by TCP as well, from where there is no UDP" 40 becomes_direct a pub

# --- UDP is better ---
over_udp() { [[ $(overlay_peer "$1" "$2" '"\(.path) \(.transport)"') == "direct udp" ]]; }
lab_allow_udp c
assert_soon "UDP passes again at c: its path to d moves there" 20 eval 'overlay_ping c d >/dev/null && over_udp c d && over_udp d c'
assert_soon "and that it was blocked is no longer said" 20 eval '[[ $(explain c d .nats.pair) == punch ]]'

# --- a transfer, whose way is cut in the middle ---
lab_spawn httpserve b "$LAB_TOOLS/httpserve" "$LAB_DIR/file"
wait_until 5 lab_log_has httpserve ready
progress=$LAB_DIR/progress
past_percent() { (($(cat "$progress") >= size / 100 * $1)); }
result() { jq -r ".$1" "$LAB_DIR/log/tcpstall.log"; }
relayed_before=$(overlay_coord_status .relayed.bytes)
lab_spawn tcpstall a "$LAB_TOOLS/tcpstall" --json --timeout 120 --progress "$progress" "${OVERLAY_IP[b]}" 8080
require "a download begins" wait_until 5 test -s "$progress"
assert_soon "40 % have come" 60 past_percent 40
assert "by TCP" over_tcp a b
assert_le "and not by the coordinator (bytes)" $(($(overlay_coord_status .relayed.bytes) - relayed_before)) $((size / 100))
lab_cut_tcp a 443
assert_soon "the TCP connection is cut: the path becomes relay" 4 overlay_is a b relay
assert_soon "80 % have come" 60 past_percent 80
status=0
wait "${LAB_PID[tcpstall]}" || status=$?
assert_eq "the download ends well, with all bytes" "$status $(result complete) $(result sha256)" "0 true $sum"
assert_eq "and no reset" "$(result reset)" false
assert_le "and never stood still for 3 s (ms)" "$(result longest_stall_ms)" 3000
assert_soon "the connection is given up, and its candidate with it" 30 eval \
    '[[ $(explain a b "[.candidates[] | select(.transport == \"tcp\")] | length") == 0 ]]'
assert_eq "explain says that it was there" "$(explain a b .tcp.state)" lost

# --- no way: and a stranger at the open port ---
overlay_up sa sb
tcp_port() { lab_exec sa ss -Hltn | awk '{ sub(/.*:/, "", $4); print $4 }' | head -n 1; }
listens() { overlay_ping sa sb >/dev/null && [[ $(tcp_port) ]]; }
assert_soon "two symmetric NATs: it is tried" 10 listens
# connects, says something, and prints how many bytes came back, and whether the connection was closed
stranger() {
    lab_exec odd python3 - "${LAB_IP[sa]}" "$(tcp_port)" "$1" <<'PROGRAM'
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)
s.sendall(bytes.fromhex(sys.argv[3]))
s.settimeout(12)
try:
    print(len(s.recv(100)), "closed")
except ConnectionResetError:
    print(0, "closed")
except TimeoutError:
    print(0, "open")
PROGRAM
}
zeros() { printf '%0*d' $((2 * $1)) 0; }
assert_eq "a stranger who speaks something else gets nothing" "$(stranger 474554202f0d0a0d0a)" "0 closed"
assert_eq "nor who sends a handshake" "$(stranger "009401000000$(zeros 144)")" "0 closed"
assert_eq "nor who sends a packet that is not authentic" "$(stranger "002004000000$(zeros 28)")" "0 closed"
assert_soon "it is given up" 20 tcp_is sa sb failed
assert_eq "the port is closed again" "$(tcp_port)" ""
assert_soon "it is known at both ends that UDP is blocked" 20 eval '[[ $(explain sa sb .nats.pair) == udp-blocked ]]'
said=$(tundctl sa explain sb)
assert_match "explain says why they stay on the relay" "$said" \
    'through the relay, because UDP does not get through where this machine is, and TCP between the two was tried and did not get through: a NAT gives'
assert_match "what was tried and what came back" "$said" "${LAB_EXTERNAL[sb]}:[0-9]+: no answer, [0-9]+ attempt"
assert "they reach each other all the same" overlay_ping sb sa

# --- a metered link ---
overlay_down sa sb
overlay_start sb --metered
overlay_start sa
assert_soon "a member on a metered link is asked" 20 overlay_ping sa sb
assert_soon "and does not want to" 20 tcp_is sa sb unwilling
assert_soon "of which it knows why" 20 eval '[[ $(explain sb sa .reason) == *"TCP between the two is not tried on a metered link"* ]]'
assert_eq "nothing was tried there" "$(explain sb sa .tcp)" null
