#!/bin/bash
# The coordinator moves to another address, and its name with it, while a download goes through its relay and a third
# member says nothing at all: everybody finds it, and the download goes on.
#
#        coord.lab: 55.1.0.10, then 55.1.0.11
#                    |
#        ----------inet--------------
#        |           |              |
#       a-r         b-r            c-r    (symmetric twice, port-restricted)
#        |           |              |
#        a           b              c
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/transfer.sh"

lab_internet
overlay_coord
lab_home a symmetric
lab_home b symmetric
lab_home c port-restricted
names=$LAB_DIR/names
echo "$COORD_IP coord.lab" >"$names"
for host in a b c; do
    lab_exec "$host" mount --bind "$names" /etc/hosts
done
COORD_URL=${COORD_URL/$COORD_IP/coord.lab}
overlay_members a b c
lab_wire a rate=10000 queue=125000 >/dev/null
lab_wire b rate=10000 queue=125000 >/dev/null
overlay_up a b c
transfer_serve b
transfer_begin ab a b
assert "a download goes through the relay" overlay_is a b relay

transfer_resumes ab 800000
since=$(ms_now)
lab_stop coordinator TERM
echo "$COORD_IP_2 coord.lab" >"$names"
overlay_coord --listen "$COORD_IP_2"
moved() { [[ $(overlay_status "$1" .coordinator.endpoint) == "$COORD_IP_2:3478" ]] && overlay_connected "$1"; }
assert_soon "the coordinator moves: a is there" 8 moved a
assert_soon "and b" 8 moved b
transfer_resumes ab
assert_le "and the download stood still for (ms)" "$(transfer_stall ab "$since")" 8000
assert_soon "c, which was silent, asks after 15 s at the latest, and is there" 20 moved c
assert_soon "c answers a" 10 overlay_ping a c
transfer_end ab
