#!/bin/bash
# Hosts without IPv4: they meet directly through their IPv6 firewalls, go on when a prefix changes, and
# reach a coordinator that has IPv4 only by a NAT64.
#
#             coord  2a00:1::10 and 55.1.0.10; in the end the latter only
#               |
#        -----inet------------          20 ms
#        |           |       |
#       a-r         b-r     d-r         IPv6 with a stateful firewall; in the end with a NAT64
#        |           |       |
#        a           b       d          a and b have IPv6 alone, d has both
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
for home in a b d; do
    lab_home "$home" port-restricted v6=firewall
done
for host in a b; do
    lab_only_v6 "$host"
    assert_fails "$host has no IPv4" lab_exec "$host" ping -c 1 -W 1 "$COORD_IP"
done

by_v6() { [[ $(overlay_peer "$1" "$2" .endpoint) == "[2a00:2:"* ]]; }

overlay_coord --listen "[$COORD_IP6]" --listen "$COORD_IP"
overlay_members a b d
overlay_up a b d
assert_soon "b answers a" 2 overlay_ping a b
assert_soon "directly" 3 overlay_is a b direct
assert "over IPv6" by_v6 a b
assert_soon "d, which has both, answers a" 2 overlay_ping a d
assert_soon "directly" 3 overlay_is a d direct
assert "over IPv6" by_v6 a d

# --- another prefix ---
at_the_new_address() { [[ $(overlay_peer a b .endpoint) == "[${LAB_IP6[b]}]:"* ]]; }
lab_spawn pings a ping -i 0.1 -c 100 -W 1 "${OVERLAY_IP[b]}"
wait_until 5 lab_log_has pings 'icmp_seq=10 '
lab_renumber6 b
assert_soon "b's prefix changes: a has a direct path to its new address" 5 at_the_new_address
assert "direct, says status" overlay_is a b direct
status=0
wait "${LAB_PID[pings]}" || status=$?
assert_eq "the pings end well" "$status" 0
assert_ge "and of 100 in 10 s so many were answered" "$(grep -c 'bytes from' "$LAB_DIR/log/pings.log")" 90
overlay_down a b d
lab_stop coordinator || diag "the coordinator ends with status $?"

# --- a coordinator that has IPv4 only ---
rm -rf "$LAB_DIR/coordinator"
for host in a b d; do
    lab_exec "$host" rm -rf "$OVERLAY_STATE"
    lab_nat64 "$host"
done
assert_soon "the NAT64 works" 5 lab_exec a ping -6 -c 1 -W 1 "64:ff9b::$COORD_IP"
overlay_coord --listen "$COORD_IP"
assert_match "the invite names an IPv4 address" "$COORD_URL" "^tund://$COORD_IP:3478/"
overlay_members a b d
overlay_up a b d
assert_match "a reaches it by the NAT64" "$(overlay_status a .coordinator.endpoint)" '^\[64:ff9b::'
assert_match "d, which has IPv4, does not" "$(overlay_status d .coordinator.endpoint)" "^$COORD_IP:"
assert_soon "b answers a" 2 overlay_ping a b
assert_soon "directly" 3 overlay_is a b direct
assert "over IPv6" by_v6 a b
lab_cut a b
assert_soon "the direct way is cut: the relay takes over, by the NAT64" 4 overlay_is a b relay
assert "b answers a" overlay_ping a b
