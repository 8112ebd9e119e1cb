#!/bin/bash
# Two machines of one home use their LAN addresses, whatever the router can, and go on
# when the home loses the internet.
#
#        coord
#          |
#        inet
#          | 20 ms, pulled at the end
#        home-r (port-restricted; without hairpin, then with it)
#          |
#        nas, laptop
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord
lab_home home port-restricted hosts=nas,laptop
overlay_members nas laptop

on_the_lan() { [[ $(overlay_peer laptop nas .endpoint) == "${LAB_IP[nas]}":* ]]; }

for hairpin in 0 1; do
    lab_nat home port-restricted hairpin="$hairpin"
    word=$( ((hairpin)) && echo with || echo without)
    overlay_up nas laptop
    assert_soon "$word hairpin: the first answer comes" 2 overlay_ping laptop nas
    assert_soon "$word hairpin: the path becomes direct" 2 overlay_is laptop nas direct
    assert_le "after so many ms by the daemon's clock" "$(overlay_peer laptop nas .time_to_direct_ms)" 300
    assert_soon "and leads to the other's LAN address" 3 on_the_lan
    least=$(for _ in 1 2 3 4 5; do overlay_ping_ms laptop nas; done | sort -n | head -n 1)
    assert_le "so a round trip is a LAN's, the least of five in ms" "$least" 5
    if ((hairpin == 0)); then
        overlay_down nas laptop
    fi
done

lab_link home down
loss=$(lab_exec laptop ping -c 40 -i 0.1 -W 1 -q "${OVERLAY_IP[nas]}" | sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p')
assert_eq "without the internet not a packet is lost between them, of 40 in 4 s" "$loss" 0
lab_link home up
assert_soon "when the internet is back they are connected" 30 overlay_connected laptop
assert "and direct as ever" overlay_is laptop nas direct
