#!/bin/bash
# Two homes behind one carrier reach each other directly where the carrier turns packets
# round, and through the relay where it does not.
#
#        coord
#          |
#        inet
#          |
#        isp (port-restricted; with hairpin, then without it)
#        |  \   20 ms, 100.64/10
#      c-r   d-r   (port-restricted)
#        |    |
#        c    d
#
# natpunch, which knows nothing of tund, says what the carrier allows.
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord
lab_carrier isp port-restricted
lab_home c port-restricted carrier=isp
lab_home d port-restricted carrier=isp
overlay_members c d

lab_nat isp port-restricted hairpin=1
assert "a carrier with hairpin lets them punch" lab_natpunch c d
overlay_up c d
assert_soon "there the first answer comes" 2 overlay_ping c d
assert_soon "and the path becomes direct" 3 overlay_is c d direct
assert_match "by way of the carrier's outside address" "$(overlay_peer c d .endpoint)" "^${LAB_EXTERNAL[isp]}:"
overlay_down c d

lab_nat isp port-restricted hairpin=0
assert_status "a carrier without hairpin does not" 1 lab_natpunch c d
overlay_up c d
assert_soon "there the first answer comes as well" 2 overlay_ping c d
loss=$(lab_exec c ping -c 20 -i 0.1 -W 1 -q "${OVERLAY_IP[d]}" | sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p')
assert_eq "and all that follow, of 20" "$loss" 0
assert_eq "through the relay" "$(overlay_peer c d .path)" relay
