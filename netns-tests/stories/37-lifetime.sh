#!/bin/bash
# The daemon finds out in the background how long a NAT keeps a mapping, and remembers it by network.
#
#        coord
#          |
#        inet
#          | 20 ms
#        home-r (port-restricted; mappings live for 4 s)
#          |
#        home
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord
lab_home home port-restricted udp_timeout=4
overlay_members home
overlay_up home

life() { tundctl home netcheck --json | jq -e ".lifetime | $1"; }
known() { life '.state == "known" and .outlived_s < 4 and .not_outlived_s >= 4'; }
assert "at first it is being measured" life '.state == "measuring" or .state == "unknown"'
assert_soon "a life of 4 s is found" 90 known
overlay_down home
overlay_up home
assert_soon "after a restart it is known at once" 5 known
