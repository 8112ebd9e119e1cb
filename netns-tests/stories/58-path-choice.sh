#!/bin/bash
# A user says which way data may take: the relay alone, a direct path alone, or the better one. It holds at once, and
# after a restart.
#
#                 coord
#                   |
#        ----------inet----------
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

mode_is() { [[ $(overlay_peer "$1" "$2" .path_mode) == "$3" ]]; }
loss() { lab_exec a ping -c 20 -i 0.02 -W 1 -q "${OVERLAY_IP[b]}" | sed -n 's/.* \([0-9.]*\)% packet loss.*/\1/p'; }

assert_match "path b relay" "$(tundctl a path b relay)" '^b: relay, now relay$'
assert "it takes the relay" overlay_is a b relay
assert_eq "and of 20 pings are lost (%)" "$(loss)" 0
assert_match "explain says why, and how to undo it" "$(tundctl a explain b)" 'told so: .tundctl path b auto. undoes it'
assert "b has chosen for itself" mode_is b a auto
overlay_down a
overlay_up a
assert "after a restart as well" mode_is a b relay
assert_soon "pings pass" 5 overlay_ping a b
assert_fails "and no direct path is looked for" wait_until 3 overlay_is a b direct

assert_match "path b auto" "$(tundctl a path b auto)" '^b: auto, now (relay|direct)$'
assert_soon "the direct path is used again" 5 overlay_is a b direct

assert_match "path b direct" "$(tundctl a path b direct)" '^b: direct, now direct$'
assert_eq "and of 20 pings are lost (%)" "$(loss)" 0
lab_cut a b
assert_soon "the direct path is cut: there is none" 10 overlay_is a b none
assert_eq "and nothing goes by the relay: of 20 pings are lost (%)" "$(loss)" 100
assert_match "explain says why" "$(tundctl a explain b)" 'no path: it was told to use none but a direct one'
lab_restore a b
assert_soon "the cut is mended: the direct path is there again" 30 overlay_is a b direct
assert_eq "and of 20 pings are lost (%)" "$(loss)" 0

assert_status "a path of another name is refused" 1 tundctl a path b sideways
assert_status "and so is a member that is not there" 1 tundctl a path nobody relay
assert_match "path alone lists them" "$(tundctl a path)" '^b: direct, now direct$'
