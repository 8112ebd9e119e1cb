#!/bin/bash
# The direct path loses a fifth of its packets each way, the relay none: traffic moves to the relay, says why, and comes
# back when the path is clean.
#
#                 coord
#                   |
#        ----------inet---------- nftables drops 20 % of the UDP between a-r and b-r
#        |        (20 ms)       |
#       a-r                    b-r    (port-restricted)
#        |                      |
#        a                      b
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

overlay_homes port-restricted a b
overlay_up a b
lab_spawn pings a ping -q -i 0.05 "${OVERLAY_IP[b]}"
require "traffic takes the direct path" wait_until 5 overlay_is a b direct

lab_exec inet nft -f - <<RULES
table inet lossy {
 chain forward {
  type filter hook forward priority filter - 20; policy accept;
  meta l4proto udp iifname . oifname { s${LAB_NUMBER[a]} . s${LAB_NUMBER[b]}, s${LAB_NUMBER[b]} . s${LAB_NUMBER[a]} } numgen random mod 100 < 20 drop
 }
}
RULES
# It may break off before as well, for two seconds, where five probes in a row are lost.
left_for_loss() { overlay_is "$1" "$2" relay && [[ $(tundctl "$1" explain "$2") == *"the direct way loses many packets"* ]]; }
assert_soon "the direct path loses 20 % each way: traffic moves to the relay, and explain says why" 60 left_for_loss a b
assert_soon "at the other end as well" 60 left_for_loss b a
lost=$(lab_exec a ping -c 100 -i 0.05 -W 1 -q "${OVERLAY_IP[b]}" | sed -n 's/.* \([0-9.]*\)% packet loss.*/\1/p')
assert_le "and of 100 pings are lost (%)" "$lost" 5
assert "it is still left" left_for_loss a b

lab_exec inet nft delete table inet lossy
assert_soon "the path is clean again: it is used again" 120 overlay_is a b direct
