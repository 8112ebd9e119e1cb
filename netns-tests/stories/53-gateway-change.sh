#!/bin/bash
# Two downloads through a gateway that maps the port, between two symmetric NATs: without the mapping there is no
# direct path. The gateway is rebooted, then it gets another outside address: the downloads go on, and
# the path is direct again.
#
#                  coord
#                    |
#        ----------inet----------
#        |   (20 ms, 10 Mbit/s) |
#     home-r                 far-r    (symmetric both; miniupnpd at home)
#        |                      |
#      home                    far
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/gateway.sh"
. "$LAB_LIB/transfer.sh"

lab_internet
overlay_coord
gateway_home home symmetric
lab_home far symmetric
overlay_members home far
lab_wire home rate=10000 queue=125000 >/dev/null
lab_wire far rate=10000 queue=125000 >/dev/null
overlay_up home far
assert_soon "the gateway maps home's port" 8 portmap_is home mapped
transfer_serve home far
transfer_begin down home far
transfer_begin up far home
reached_at() { [[ $(overlay_peer far home .endpoint) == "$1:"* ]] && overlay_is far home direct; }
require "two downloads go, by the mapped port" wait_until 20 reached_at "${LAB_EXTERNAL[home]}"

# after NAME BAR_MS SINCE: what the downloads felt
after() {
    transfer_resumes down 400000 && transfer_resumes up 400000 # more than was under way
    assert_le "$1: the downloads stood still for at most (ms)" \
        "$({ transfer_stall down "$3"; transfer_stall up "$3"; } | sort -n | tail -n 1)" "$2"
}

transfer_resumes down 800000 && transfer_resumes up 800000
# a gateway's epoch is in seconds, and may be off by two of them: less cannot show that it began anew
rested() { [[ $(portmap_own home '.renew_in_s < 3595') == true ]]; }
require "the gateway's epoch is old enough to be missed" wait_until 10 rested
since=$(ms_now)
lab_link home down
gateway_reboot home symmetric
lab_link home up
after "the gateway is rebooted" 30000 "$since"
assert_soon "the port is mapped again, and the path is direct" 30 reached_at "${LAB_EXTERNAL[home]}"
diag "a reboot: direct after $(($(ms_now) - since)) ms"

transfer_resumes down 800000 && transfer_resumes up 800000
since=$(ms_now)
lab_readdress home 77
after "another outside address" 5000 "$since"
assert_soon "the path is direct again, to the new address" 5 reached_at "${LAB_EXTERNAL[home]}"
diag "a new outside address: direct to it after $(($(ms_now) - since)) ms"
transfer_end down
transfer_end up
