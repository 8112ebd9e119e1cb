#!/bin/bash
# In the middle of two downloads the laptop's interface goes down and up, gets another address, and
# its default route moves to another network: all goes on within a second.
#
#                  coord
#                    |
#        ----------inet----------------
#        |           |                |    20 ms, 10 Mbit/s
#      home-r      cafe-r           nas-r    (port-restricted)
#        |           |                |
#        +- laptop --+               nas
#
# Once each; CHANGE_RUNS=N takes N, and the bar is for p95.
# time limit: 600 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/transfer.sh"

runs=${CHANGE_RUNS:-1}
declare -A stalls=()

lab_internet
overlay_coord
lab_home home port-restricted hosts=laptop
lab_home cafe port-restricted hosts=guest
lab_home nas port-restricted
for site in home cafe nas; do
    lab_wire "$site" rate=10000 queue=125000 >/dev/null
done
# a second interface of the laptop's, on the café's LAN, which is not the default yet
home=${LAB_PREFIX[home]%.0/24} cafe=${LAB_PREFIX[cafe]%.0/24}
ip link add name eth1 netns laptop type veth peer name second netns cafe-r
lab_ip cafe-r <<<'link set dev second master lan up'
lab_ip laptop <<IP
link set dev eth1 up
addr add $cafe.77/24 dev eth1
IP

overlay_members nas laptop
overlay_up nas laptop
transfer_serve nas laptop
transfer_begin down laptop nas
transfer_begin up nas laptop
require "two downloads go, by the direct path" wait_until 5 overlay_is laptop nas direct

go_on() { transfer_resumes down 400000 && transfer_resumes up 400000; } # more than was under way

# measure NAME: does change_NAME, and notes for how long one of the downloads then stood still
measure() {
    local since
    transfer_resumes down 800000 && transfer_resumes up 800000
    since=$(ms_now)
    "change_$1"
    assert "$1 changes: the downloads go on" go_on
    stalls[$1]+=" $({ transfer_stall down "$since"; transfer_stall up "$since"; } | sort -n | tail -n 1)"
    assert_soon "and the path is direct (again)" 10 overlay_is laptop nas direct
}
change_plug() {
    lab_ip laptop <<IP
link set dev eth0 down
link set dev eth0 up
route replace default via $home.1
IP
}
change_address() {
    last=$((last == 2 ? 78 : 2))
    lab_ip laptop <<IP
addr flush dev eth0
addr add $home.$last/24 dev eth0
route replace default via $home.1
IP
}
change_route() {
    gateway=$([[ $gateway == "$home.1" ]] && echo "$cafe.1" || echo "$home.1")
    lab_exec laptop ip route replace default via "$gateway"
}

last=2 gateway=$home.1
for ((run = 0; run < runs; run++)); do
    measure plug
    measure address
    measure route
    measure route # and back
done
# shellcheck disable=SC2086 # lists of numbers
for name in plug address route; do
    assert_le "$name: the downloads stood still, p95 of $runs in ms" "$(percentile 95 ${stalls[$name]})" 1000
    diag "$name: p50 $(median ${stalls[$name]}) ms"
done
transfer_end down
transfer_end up
