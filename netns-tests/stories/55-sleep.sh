#!/bin/bash
# A laptop's daemon is stopped for a while, as by sleep, and its NAT gives it another port meanwhile: when it goes on
# it is reached at once, and downloads that were under way go on.
#
#                  coord
#                    |
#        ----------inet----------
#        |   (20 ms, 10 Mbit/s) |
#     laptop-r                nas-r    (port-restricted)
#        |                      |
#      laptop                  nas
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/transfer.sh"

lab_internet
overlay_coord
lab_home laptop port-restricted
lab_home nas port-restricted
overlay_members nas laptop
lab_wire laptop rate=10000 queue=125000 >/dev/null
lab_wire nas rate=10000 queue=125000 >/dev/null
overlay_up nas laptop

sleeps() { [[ $(awk '/^State:/ { print $2 }' "/proc/${LAB_PID[tund-laptop]}/status") == T ]]; }
fall_asleep() {
    kill -s STOP "${LAB_PID[tund-laptop]}"
    wait_until 2 sleeps
}
ping_quickly() { lab_exec "$1" ping -c 1 -W 0.3 "${OVERLAY_IP[$2]}"; }

assert_soon "the nas reaches the laptop" 5 overlay_ping nas laptop
require "their path is direct" wait_until 5 overlay_is nas laptop direct
fall_asleep
lab_rebind laptop
sleep 4 # the sleep itself; longer than a path is believed in silence
assert_fails "it sleeps: it is not reached" ping_quickly nas laptop
kill -s CONT "${LAB_PID[tund-laptop]}"
assert_soon "it wakes behind another port: the nas reaches it within 1 s" 1 ping_quickly nas laptop

transfer_serve laptop nas
transfer_begin down laptop nas
transfer_begin up nas laptop
assert_soon "downloads go both ways, by the direct path" 5 overlay_is nas laptop direct
transfer_resumes down 800000 && transfer_resumes up 800000
fall_asleep
lab_rebind laptop
sleep 3 # the sleep itself
woke=$(ms_now)
kill -s CONT "${LAB_PID[tund-laptop]}"
measure_ms down_ms transfer_resumes down
measure_ms up_ms transfer_resumes up
diag "after $(($(ms_now) - woke)) ms both downloads went on ($down_ms and $up_ms ms)"
# TCP's pauses have doubled meanwhile, up to the length of the sleep once more; and one may just have been missed
assert_le "it sleeps in the middle of them: both go on (ms after waking)" $((down_ms + up_ms)) 5000
transfer_end down
transfer_end up
