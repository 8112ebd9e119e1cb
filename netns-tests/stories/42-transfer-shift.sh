#!/bin/bash
# A file comes over HTTP while its path goes relay, direct, relay: whole, without a reset,
# never standing still for 3 s.
#
#                  coord
#                    |
#        ----------inet---------- the direct way is cut when 60 % have come
#        |    (20 ms, 25 Mbit/s) |
#       a-r                    b-r    (port-restricted)
#        |                      |
#        a  downloads           b  serves
#
# 40 MB by default; BIG=1 takes 200 MB, MEGABYTES=N takes N.
# time limit: 400 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

megabytes=${MEGABYTES:-$( [[ ${BIG:-} ]] && echo 200 || echo 40)}
size=$((megabytes * 1000000))
file=$LAB_DIR/file progress=$LAB_DIR/progress
sum=$(lab_random_file "$file" "$size")

overlay_homes port-restricted a b
rate=$((megabytes > 100 ? 50000 : 25000)) # kbit/s: long enough to change the path in between
lab_wire a rate="$rate" queue=250000 >/dev/null
lab_wire b rate="$rate" queue=250000 >/dev/null
lab_spawn httpserve b "$LAB_TOOLS/httpserve" "$file"
wait_until 5 lab_log_has httpserve ready

past() { lab_compare "$(cat "$progress")" '>=' "$1"; }
past_percent() { past $((size / 100 * $1)); }
result() { jq -r ".$1" "$LAB_DIR/log/tcpstall.log"; }
relayed_bytes() { overlay_coord_status .relayed.bytes; }

# The direct way is cut at first, so that the transfer begins on the relay, and mended
# while the daemons still try it.
overlay_up a b
lab_cut a b
relayed_before=$(relayed_bytes)
lab_spawn tcpstall a "$LAB_TOOLS/tcpstall" --json --timeout 300 --progress "$progress" "${OVERLAY_IP[b]}" 8080
require "the download begins" wait_until 5 past 1
assert_soon "its first part comes through the relay" 5 past_percent 2
assert_eq "says status" "$(overlay_peer a b .path)" relay
assert_ge "and so says the coordinator, in relayed bytes" $(($(relayed_bytes) - relayed_before)) $((size / 100))
lab_restore a b

assert_soon "the path becomes direct while it goes on" 30 overlay_is a b direct
assert_soon "on both sides" 10 overlay_is b a direct
direct_at=$(cat "$progress")
diag "direct when $((direct_at / 1000000)) of $megabytes MB had come"
assert_soon "60 % have come" 200 past_percent 60
assert "by the direct path" overlay_is a b direct
relayed_before=$(relayed_bytes)

lab_cut a b
assert_soon "the direct way is cut: the path becomes relay again" 4 overlay_is a b relay
status=0
wait "${LAB_PID[tcpstall]}" || status=$?
assert_eq "the download ends well" "$status $(result complete)" "0 true"
assert_eq "with all bytes" "$(result bytes)" "$size"
assert_eq "and the file's SHA-256" "$(result sha256)" "$sum"
assert_eq "and no reset" "$(result reset)" false
assert_le "and never stood still for 3 s (ms)" "$(result longest_stall_ms)" 3000
assert_ge "the last part went through the relay, in relayed bytes" $(($(relayed_bytes) - relayed_before)) $((size / 10))
diag "$megabytes MB; longest stall $(result longest_stall_ms) ms at byte $(result stall_at_byte) of $size"
