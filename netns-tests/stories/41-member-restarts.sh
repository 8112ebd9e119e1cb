#!/bin/bash
# A member's daemon is killed and started again, and the other one finds it again.
#
#                  coord
#                    |
#        ----------inet----------
#        |         (20 ms)      |
#       a-r                    b-r    (port-restricted)
#        |                      |
#        a  asks                b  is killed; then its router forgets all as well
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

overlay_homes port-restricted a b
overlay_up a b
overlay_ping a b >/dev/null
assert_soon "a and b are direct" 3 overlay_is a b direct

quick_ping() { lab_exec "$1" ping -c 1 -W 1 "${OVERLAY_IP[$2]}"; }

for forgets in '' 1; do
    assert_status "b is killed${forgets:+, and its router forgets all}" 137 lab_stop tund-b KILL
    if [[ $forgets ]]; then
        lab_forget b
    fi
    overlay_start b
    # the restarted one asks: its handshake stamp must be above all that it ever made
    assert_soon "b reaches a after its restart" 3 quick_ping b a
    assert_soon "and is direct again" 5 overlay_is b a direct
    assert_soon "on both sides" 5 overlay_is a b direct
done

assert_status "b is killed a third time" 137 lab_stop tund-b KILL
assert_fails "it is not reached" quick_ping a b
overlay_start b
# the other one asks, with a session that b has lost
assert_soon "a, which still has the old session, reaches b" 6 quick_ping a b
assert_soon "directly in the end" 10 overlay_is a b direct

lab_spawn pings a ping -q -i 0.2 "${OVERLAY_IP[b]}" # a path that nobody uses is looked at seldom
lab_link b down
assert_soon "a sees that b's plug was pulled" 4 overlay_is_not a b direct
lab_link b up
assert_soon "and b answers when it is back" 20 quick_ping a b
