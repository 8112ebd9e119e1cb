#!/bin/bash
# A member learns which of its outside addresses can be reached by what it did not ask for.
#
#        coord (55.1.0.10 and 55.1.0.11, two ports each)
#          |
#        inet
#        |  |  |  |        20 ms links
#       open fc ar pr      public, full cone, address-restricted, port-restricted
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord --listen "$COORD_IP" --listen "$COORD_IP_2"
lab_home open public
lab_home fc full-cone
lab_home ar address-restricted
lab_home pr port-restricted
overlay_members open fc ar pr
overlay_up open fc ar pr

reach() { overlay_status "$1" '.self.reach[0].unsolicited'; }
reach_is() { [[ $(reach "$1") == "$2" ]]; }

while read -r host verdict; do
    assert_soon "$host: unsolicited packets find it $verdict" 10 reach_is "$host" "$verdict"
done <<'E1'
open open
fc open
ar restricted
pr closed
E1
assert_match "status says so in words" "$(tundctl pr status)" 'reflexive.*only who we have sent to can reach it'

lab_nat pr full-cone
lab_stop tund-pr || diag "tund on pr ends with status $?"
overlay_up pr
assert_soon "another router there, and it is open" 10 reach_is pr open

# one address: dial-backs come from the other port alone
lab_stop tund-ar || diag "tund on ar ends with status $?"
lab_stop coordinator || diag "the coordinator ends with status $?"
overlay_coord
overlay_up ar
assert_soon "to a coordinator of one address, address-restricted looks open" 10 reach_is ar open
assert_eq "and it is told that there was but one" "$(overlay_status ar '.self.reach[0].two_addresses')" false
