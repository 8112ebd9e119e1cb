#!/bin/bash
# Routers that a packet from outside spoils for the inside's own: whoever sends in full too
# early loses the mapping. The low-TTL packet that goes out first saves it.
#
#                  coord
#                    |
#        ----------inet----------
#        | 10 ms                | 120 ms
#       a-r                    b-r   (bare masquerade, no firewall)
#        |                      |
#        a                      b
#
# On a bare Linux masquerade an unsolicited packet leaves an entry behind in the router's
# table, and the inside's own packet to that place then gets another port; natprobe shows
# that it is so here. The ways differ in length, so that one end learns of the other much
# sooner. Each asks in turn.
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

runs=${PUNCH_RUNS:-4}
lab_internet
overlay_coord
lab_home a bare-masquerade delay=5
lab_home b bare-masquerade delay=60
lab_prove a --wait 400
lab_prove b --wait 400
overlay_members a b

for ((run = 1; run <= runs; run++)); do
    lab_forget a
    lab_forget b
    overlay_up a b
    asks=a asked=b
    if ((run % 2 == 0)); then
        asks=b asked=a
    fi
    assert_soon "run $run: $asked answers $asks" 5 overlay_ping "$asks" "$asked"
    assert_soon "run $run: they are direct" 5 overlay_is "$asks" "$asked" direct
    assert_le "run $run: after, in ms" "$(overlay_peer "$asks" "$asked" .time_to_direct_ms)" 2000
    overlay_down a b
done
