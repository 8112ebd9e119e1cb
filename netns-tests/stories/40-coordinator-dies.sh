#!/bin/bash
# The coordinator is killed: direct tunnels live on. It comes back: all recovers by itself.
#
#                   coord (killed, started again)
#                     |
#        -----------inet-----------
#        |            |           |
#       a-r          b-r         s-r    (20 ms; port-restricted twice, symmetric)
#        |            |           |
#        a            b           s
#
# a and b are direct; a and s can only be relayed.
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord
lab_home a port-restricted
lab_home b port-restricted
lab_home s symmetric
overlay_members a b s
overlay_up a b s
overlay_ping a b >/dev/null
overlay_ping a s >/dev/null
assert_soon "a and b are direct" 3 overlay_is a b direct
assert "a and s are not" overlay_is a s relay

lab_spawn pings a env --default-signal=INT ping -i 0.1 "${OVERLAY_IP[b]}"
assert_status "the coordinator is killed" 137 lab_stop coordinator KILL
for host in a b s; do
    assert_soon "$host notices" 40 overlay_disconnected "$host"
done
assert_match "status tells people so" "$(tundctl a status)" 'coordinator +connecting'
assert "a and b are direct still" overlay_is a b direct
assert_soon "a says that s has no path" 20 overlay_is a s none
lost=$(lab_exec a ping -c 20 -i 0.05 -W 1 -q "${OVERLAY_IP[b]}" | sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p')
assert_eq "and b answers all of 20 pings" "$lost" 0

overlay_coord
for host in a b s; do
    assert_soon "the coordinator is back: $host connects by itself" 20 overlay_connected "$host"
done
assert_soon "s answers a again" 10 overlay_ping a s
assert "through the relay" overlay_is a s relay
assert_eq "the network is what it was" "$(overlay_coord_status .store.members)" 3
assert "a ping ran all that time" lab_stop pings INT
lost=$(lab_pings_lost pings) || lost="all"
assert_eq "a and b lost no ping in all that time" "$lost" 0
