#!/bin/bash
# tcpstall sees what happens to a transfer: nothing, a standstill, a reset, an end
# before the end.
#
#        coord
#          |
#        inet -- the fault: a plug pulled, a reset, a server that ends
#          |        |
#        a-r       b-r     (public)
#          |        |
#        client   server
. "$(dirname "$0")/../lib/lab.sh"

lab_internet
lab_home a public delay=5 hosts=client
lab_home b public delay=5 hosts=server v6=open
file=$LAB_DIR/file
sum=$(lab_random_file "$file" 8000000)
progress=$LAB_DIR/progress

serve() {
    lab_spawn httpserve server "$LAB_TOOLS/httpserve" "$file"
    wait_until 5 lab_log_has httpserve ready
}
# Starts a download and waits until 2 MB have come. The result is read by `result`.
download() {
    rm -f "$progress" "$LAB_DIR/log/tcpstall.log"
    lab_spawn tcpstall client "$LAB_TOOLS/tcpstall" --json --timeout 60 --progress "$progress" "${LAB_IP[server]}" 8080
    wait_until 10 past 2000000
}
past() { lab_compare "$(cat "$progress")" '>=' "$1"; }
# Waits for the download's end; its status is STATUS.
finish() {
    STATUS=0
    wait "${LAB_PID[tcpstall]}" || STATUS=$?
}
result() { jq -r ".$1" "$LAB_DIR/log/tcpstall.log"; }

serve
download
finish
assert_eq "a download ends well" "$STATUS $(result complete) $(result reset)" "0 true false"
assert_eq "with all bytes" "$(result bytes)" 8000000
assert_eq "and the file's SHA-256" "$(result sha256)" "$sum"
assert_le "and never stands still for long" "$(result longest_stall_ms)" 500
assert_eq "curl gets the same from the server" \
    "$(lab_exec client curl -s "http://${LAB_IP[server]}:8080/" | sha256sum | cut -d ' ' -f 1)" "$sum"

lab_wire b rate=40000 >/dev/null
download
lab_link b down
sleep 1 # the fault's length, not a wait for something
lab_link b up
finish
assert_eq "a download over a link that was down for a second ends well" "$STATUS $(result sha256)" "0 $sum"
assert_between "with a standstill of a second or a little more" "$(result longest_stall_ms)" 950 4000
assert_between "in the place where the plug was pulled" "$(result stall_at_byte)" 2000000 7999999
assert_eq "and no reset" "$(result reset)" false

download
lab_exec inet nft -f - <<'RULES'
table inet faults {
 chain forward {
  type filter hook forward priority filter; policy accept;
  tcp sport 8080 reject with tcp reset
  tcp dport 8080 reject with tcp reset
 }
}
RULES
finish
assert_eq "a reset is told from all else" "$STATUS $(result complete) $(result reset)" "1 false true"
lab_exec inet nft delete table inet faults

download
assert_status "the server ends by its signal" 143 lab_stop httpserve
finish
assert_eq "a server that ends too early is an incomplete download" "$STATUS $(result complete)" "1 false"
serve
lab_link b down
assert_status "a server out of reach is one too" 1 \
    lab_exec client "$LAB_TOOLS/tcpstall" --timeout 0.5 "${LAB_IP[server]}" 8080
