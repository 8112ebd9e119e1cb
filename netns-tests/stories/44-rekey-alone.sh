#!/bin/bash
# Without a coordinator direct tunnels make new keys, for as long as it may take.
#
#                  coord (killed at the beginning)
#                    |
#        ----------inet----------
#        |         (20 ms)      |
#       a-r                    b-r    (port-restricted)
#        |                      |
#        a                      b
#
# WireGuard makes new keys every 120 s; this waits for one such change.
# time limit: 240 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

overlay_homes port-restricted a b
overlay_up a b
overlay_ping a b >/dev/null
assert_soon "a and b are direct" 3 overlay_is a b direct
assert_status "the coordinator is killed" 137 lab_stop coordinator KILL

handshake_age() { overlay_peer a b .last_handshake_s; }
lab_spawn pings a env --default-signal=INT ping -i 0.2 "${OVERLAY_IP[b]}"
is_old() { lab_compare "$(handshake_age)" '>' 100; }
is_young() { lab_compare "$(handshake_age)" '<' 20; }
assert_soon "the keys grow old" 125 is_old
assert_soon "and new ones are made" 40 is_young
assert "the path is direct still" overlay_is a b direct
assert "a ping ran all that time" lab_stop pings INT
lost=$(lab_pings_lost pings) || lost="all"
assert_eq "a and b lost no ping in all that time" "$lost" 0
