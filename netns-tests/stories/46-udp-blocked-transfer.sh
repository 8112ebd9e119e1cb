#!/bin/bash
# UDP is blocked in the middle of two downloads, one each way, and passes again later: both come
# whole, without a reset, and never stand still for 3 s.
#
#                coord  (UDP 3478, TCP 443)
#                  |
#        --------inet---------
#        |  20 ms, 25 Mbit/s |
#    office-r             home-r   (port-restricted)
#        |                   |
#     office               home
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

megabytes=${MEGABYTES:-20}
size=$((megabytes * 1000000))
sum=$(lab_random_file "$LAB_DIR/file" "$size")

overlay_homes port-restricted office home
lab_wire office rate=25000 queue=250000 >/dev/null
lab_wire home rate=25000 queue=250000 >/dev/null
for host in office home; do
    lab_spawn "serve-$host" "$host" "$LAB_TOOLS/httpserve" "$LAB_DIR/file"
    wait_until 5 lab_log_has "serve-$host" ready
done
transport() { overlay_status "$1" .coordinator.transport; }
past() { (($(cat "$LAB_DIR/progress-$1") >= size / 100 * $2)); }
both_past() { past office "$1" && past home "$1"; }
result() { jq -r ".$2" "$LAB_DIR/log/load-$1.log"; }
load() {
    lab_spawn "load-$1" "$1" "$LAB_TOOLS/tcpstall" --json --timeout 120 \
        --progress "$LAB_DIR/progress-$1" "${OVERLAY_IP[$2]}" 8080
}

overlay_up office home
assert_soon "they are connected" 5 overlay_ping office home
require "and their path is direct" wait_until 5 overlay_is office home direct
load office home
load home office
require "two downloads begin" wait_until 5 both_past 1
assert_soon "20 % have come each way" 60 both_past 20
assert "by the direct path" overlay_is office home direct

lab_block_udp office
assert_soon "the office blocks UDP: the path becomes relay" 4 overlay_is office home relay
assert_soon "by TLS" 4 eval '[[ $(transport office) == tls ]]'
assert_soon "60 % have come each way" 60 both_past 60
assert_eq "by TLS" "$(transport office) $(overlay_peer office home .path)" "tls relay"
lab_allow_udp office
assert_soon "UDP passes again: it is used" 10 eval '[[ $(transport office) == udp ]]'

for host in office home; do
    status=0
    wait "${LAB_PID[load-$host]}" || status=$?
    assert_eq "the download at the $host ends well, with all bytes" \
        "$status $(result "$host" complete) $(result "$host" sha256)" "0 true $sum"
    assert_eq "and no reset" "$(result "$host" reset)" false
    assert_le "and never stood still for 3 s (ms)" "$(result "$host" longest_stall_ms)" 3000
done
diag "dropped by the coordinator's TLS queues: $(overlay_coord_status .tls.dropped)"
