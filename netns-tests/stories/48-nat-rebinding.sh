#!/bin/bash
# In the middle of two downloads a NAT changes the outside port, then the outside address, at one end
# and at both: nothing is reset, nothing stands still for long, and the path is direct again.
#
#                 coord
#                   |
#        ---------inet---------
#        |  20 ms, 10 Mbit/s  |
#       a-r                  b-r    (port-restricted)
#        |                    |
#        a  <-- downloads --> b
#
# Once each; REBIND_RUNS=20 takes twenty, and the bars are for p95.
# time limit: 1200 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/transfer.sh"

runs=${REBIND_RUNS:-1}
declare -A stalls=() searches=()

lab_internet
overlay_coord
lab_home a port-restricted
lab_home b port-restricted
overlay_members a b
lab_wire a rate=10000 queue=125000 >/dev/null
lab_wire b rate=10000 queue=125000 >/dev/null
overlay_up a b
transfer_serve a b
transfer_begin ab a b
transfer_begin ba b a
require "two downloads go, by the direct path" wait_until 5 overlay_is a b direct

last=10
rebind() { # WHAT SITE
    case $1 in
    port) lab_rebind "$2" ;;
    address) lab_readdress "$2" "$last" ;;
    esac
}
both_direct() { overlay_is a b direct && overlay_is b a direct; }
# What the path is after a change may be known only when the old one was found dead.
at_new_place() { both_direct && [[ $(overlay_peer b a .endpoint) != "$1" ]]; }

measure() { # WHAT SIDES
    local since before site stall ms
    # TCP has found its feet again after the change before this one
    transfer_resumes ab 800000 && transfer_resumes ba 800000
    before=$(overlay_peer b a .endpoint)
    last=$((last + 1))
    since=$(ms_now)
    for site in $2; do
        rebind "$1" "$site"
    done
    transfer_resumes ab 400000 && transfer_resumes ba 400000 # more than was under way
    measure_ms ms wait_until 30 at_new_place "$before" || not_ok "after a new $1 at $2 the path is direct again"
    stall=$({ transfer_stall ab "$since"; transfer_stall ba "$since"; } | sort -n | tail -n 1)
    stalls[$1 $2]+=" $stall"
    searches[$1 $2]+=" $ms"
}

for ((run = 0; run < runs; run++)); do
    for what in port address; do
        measure "$what" a
        measure "$what" "a b"
    done
done
for what in port address; do
    for sides in a "a b"; do
        bar=1500
        [[ $sides == a ]] || bar=3000
        # shellcheck disable=SC2086 # lists of numbers
        assert_le "a new $what at $sides: both downloads go on, p95 of $runs in ms" \
            "$(percentile 95 ${stalls[$what $sides]})" "$bar"
        # shellcheck disable=SC2086
        diag "new $what at $sides: stall p50 $(median ${stalls[$what $sides]}) ms," \
            "direct again p50 $(median ${searches[$what $sides]}) ms"
    done
done
transfer_end ab
transfer_end ba
