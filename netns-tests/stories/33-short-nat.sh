#!/bin/bash
# Routers that forget a mapping after 5 s, and after a long silence there is an answer.
#
#                  coord
#                    |
#        ----------inet----------
#        |         (20 ms)      |
#       a-r                    b-r   (5 s: port-restricted, then symmetric and public)
#        |                      |
#        a                      b
#
# When both ends have been silent for too long, nobody can reach the other before it speaks
# up by itself, which is at its next keepalive to the coordinator: 15 s at first. A symmetric
# router then gives it a new port, so the daemon sees that its mappings are short-lived, and
# speaks more often from then on. A port-restricted one gives the old port back: nothing shows.
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord
lab_home a port-restricted udp_timeout=5
lab_home b port-restricted udp_timeout=5
lab_home s symmetric udp_timeout=5
lab_home p public
assert "the routers forget after 5 s" lab_natprobe a --expect lifetime=4.5-5.6
overlay_members a b s p

overlay_ping_quick() { lab_exec "$1" ping -c 1 -W 1 "${OVERLAY_IP[$2]}"; }

overlay_up a b s p
overlay_ping a b >/dev/null
overlay_ping s p >/dev/null
assert_soon "port-restricted to port-restricted becomes direct" 3 overlay_is a b direct
assert_soon "symmetric to public becomes direct" 3 overlay_is s p direct

sleep 8 # the silence itself
assert_soon "after 8 s of silence s answers p" 16 overlay_ping_quick p s
assert_soon "and b answers a" 16 overlay_ping_quick a b
sleep 20
assert_soon "after 20 s of silence s, which has learned, answers p at once" 3 overlay_ping_quick p s
assert_soon "and b answers a" 16 overlay_ping_quick a b
assert_soon "port-restricted to port-restricted is direct in the end" 10 overlay_is a b direct
assert_soon "public to symmetric as well" 10 overlay_is p s direct
