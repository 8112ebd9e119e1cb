#!/bin/bash
# Eight downloads go on while their path goes relay, direct, relay, again and again, as both users ask: nothing is
# reset, nothing stands still.
#
#                 coord
#                   |
#        ---------inet---------
#        |  20 ms, 50 Mbit/s  |
#       a-r                  b-r    (port-restricted)
#        |                    |
#        a  <-- downloads --> b
#
# 10 shifts by default; SHIFTS=200 takes two hundred.
# time limit: 900 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/transfer.sh"

shifts=${SHIFTS:-10}

lab_internet
overlay_coord
lab_home a port-restricted
lab_home b port-restricted
overlay_members a b
for site in a b; do
    lab_wire "$site" rate=50000 queue=500000 >/dev/null
done
overlay_up a b
transfer_serve a b
transfer_begin ab a b 4
transfer_begin ba b a 4
require "eight downloads go, by the direct path" wait_until 5 overlay_is a b direct

both_are() { overlay_is a b "$1" && overlay_is b a "$1"; }
go_on() { transfer_resumes ab 20000 && transfer_resumes ba 20000; }
shift_to() { # MODE PATH
    tundctl a path b "$1" >/dev/null
    tundctl b path a "$1" >/dev/null
    wait_until 10 both_are "$2"
}

stalls='' done=0
for ((i = 0; i < shifts; i++)); do
    since=$(ms_now)
    if ((i % 2)); then
        shift_to auto direct || break
    else
        shift_to relay relay || break
    fi
    go_on || break
    stalls+=" $(transfer_stalls ab "$since") $(transfer_stalls ba "$since")"
    done=$((done + 1))
done
assert_eq "shifts between the relay and the direct path, with all downloads going on" "$done" "$shifts"
# shellcheck disable=SC2086 # a list of numbers
assert_le "a download stood still, p99 in ms" "$(percentile 99 $stalls)" 300
# shellcheck disable=SC2086
diag "$done shifts: a download stood still for p50 $(median $stalls) ms, at most $(percentile 100 $stalls) ms"
transfer_end ab
transfer_end ba
