#!/bin/bash
# A link that swallows what is too long, and says nothing: streams flow within 3 s all the same, and
# go on when such a link comes in their middle, and use its full width when it has gone.
#
#                  coord
#                    |
#        ----------inet----------   20 ms links; all that is longer than 1300, 1124 or 576 bytes
#        |                      |   vanishes on a's, both ways, without an ICMP
#       a-r                    b-r  (port-restricted)
#        |                      |
#        a  one serves, the     b
#           other downloads
#
# Each run starts both daemons anew; nothing but the download sends, so it meets the hole on the
# relay first and on the direct path soon after. MTU_RUNS=17 is the long form (2): so many of each size.
# time limit: 900 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

runs=${MTU_RUNS:-2}
small=$LAB_DIR/small large=$LAB_DIR/large progress=$LAB_DIR/progress
head -c 300000 /dev/urandom >"$small"
head -c 9000000 /dev/urandom >"$large"

lab_internet
overlay_coord
lab_home a port-restricted
lab_home b port-restricted
overlay_members a b
for host in a b; do
    lab_spawn "serve-$host" "$host" "$LAB_TOOLS/httpserve" "$small"
    wait_until 5 lab_log_has "serve-$host" ready
done

result() { jq -r ".$1" "$LAB_DIR/log/$2.log"; }
mtu_is() { lab_compare "$(overlay_peer "$1" "$2" .mtu)" "$3" "$4"; }

# run_once SIZE FROM TO: adds to times; what hung is named in `hung`.
run_once() {
    local began status=0
    overlay_up a b
    began=$(ms_now)
    lab_exec "$3" "$LAB_TOOLS/tcpstall" --json --timeout 10 "${OVERLAY_IP[$2]}" 8080 >"$LAB_DIR/log/once.log" || status=$?
    times+=($(($(ms_now) - began)))
    [[ "$status $(result complete once) $(result reset once)" == "0 true false" ]] || hung+=" ($1 bytes, run $run)"
}

for size in 1300 1124 576; do
    times=() hung=''
    lab_black_hole a "$size"
    for ((run = 1; run <= runs; run++)); do
        if ((run % 2)); then
            run_once "$size" b a
        else
            run_once "$size" a b
        fi
        ((run == runs)) || overlay_down a b
    done
    assert_eq "$size bytes pass: of $runs streams none hangs" "$hung" ""
    assert_le "$size bytes pass: the slowest, of 300 KB, is done after so many ms" "$(percentile 100 "${times[@]}")" 3000
    assert_soon "$size bytes pass: the path is direct" 5 overlay_is a b direct
    # 60 of IPv4, UDP and WireGuard; and sizes are found in steps of 16
    assert_soon "$size bytes pass: status says so, of inner packets" 5 mtu_is a b '>' $((size - 60 - 32))
    assert "$size bytes pass: and no more" mtu_is a b '<=' $((size - 60))
    assert_match "$size bytes pass: explain says it" "$(tundctl a explain b)" "up to $(overlay_peer a b .mtu) bytes"
    assert_match "$size bytes pass: the system is told" \
        "$(lab_exec a ping -c 1 -W 1 -M do -s 1372 "${OVERLAY_IP[b]}" 2>&1 || true)" "mtu ?= ?$(overlay_peer a b .mtu)"
    assert "$size bytes pass: IPv4 that may be split arrives" overlay_ping a b -M dont -s 1372
    assert "$size bytes pass: and 1280 bytes of IPv6" lab_exec a ping -6 -c 1 -W 2 -M do -s 1232 "${OVERLAY_IP6[b]}"
    diag "$size: $(printf '%s ms ' "${times[@]}")"
    overlay_down a b
    lab_black_hole a none
done

# --- in the middle of a stream ---
lab_wire a rate=13000 queue=100000 >/dev/null
lab_stop serve-b || [[ $? == 143 ]]
lab_spawn serve-b b "$LAB_TOOLS/httpserve" "$large"
wait_until 5 lab_log_has serve-b ready
past() { lab_compare "$(cat "$progress")" '>=' "$1"; }
overlay_up a b
lab_spawn long a "$LAB_TOOLS/tcpstall" --json --timeout 60 --progress "$progress" "${OVERLAY_IP[b]}" 8080
require "a long download begins, directly" wait_until 10 overlay_is b a direct
require "at full size" wait_until 10 past 2000000
assert_eq "says status" "$(overlay_peer b a .mtu)" 1400
lab_black_hole a 1124
assert_soon "1124 bytes pass from now on: it is found" 3 mtu_is b a '<=' 1064
at=$(cat "$progress")
assert_soon "and the stream goes on" 3 past $((at + 500000))
status=0
wait "${LAB_PID[long]}" || status=$?
assert_eq "the download ends well, without a reset" "$status $(result complete long) $(result reset long)" "0 true false"
assert_le "and never stood still for 3 s (ms)" "$(result longest_stall_ms long)" 3000
lab_black_hole a none
lab_spawn pings a ping -i 0.1 -s 900 -q "${OVERLAY_IP[b]}"
assert_soon "all pass again: it is found while something long is sent" 15 mtu_is a b '==' 1400
assert_soon "at both ends" 15 mtu_is b a '==' 1400
lab_stop pings INT || diag "the pings end with status $?"
