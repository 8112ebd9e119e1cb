#!/bin/bash
# The default gateway is hostile: tund goes on without a mapping, the child that speaks UPnP dies alone and in
# bounds, and nobody but the gateway is ever spoken to.
#
#        coord
#          |
#        inet
#          |            20 ms
#        home-r         badgateway: what it says is wrong, endless, or points to `other`
#          |
#     home, other       tund; a host that counts who comes
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/gateway.sh"

lab_internet
overlay_coord
lab_home home port-restricted hosts=home,other
lab_home away port-restricted
overlay_members home away
overlay_up away

# The children that run, every 20 ms: how old and how big did one get?
igd_watch() {
    local pid now size
    declare -A born=()
    while sleep 0.02; do
        now=$(ms_now)
        for pid in $(pgrep -x tund-igd); do
            : "${born[$pid]:=$now}"
            size=$(awk '/^VmPeak:/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || continue
            echo "$pid $((now - born[$pid])) ${size:-0}"
        done
    done
}
igd_none() { ! pgrep -x tund-igd; }
asked_all() { portmap_is home failed && igd_none; }

# With a lab_home's own address as the gateway's.
gateway_ip=${LAB_PREFIX[home]%.0/24}.1
lab_spawn other other "$LAB_TOOLS/badgateway" --address "${LAB_IP[other]}" --http none --udp counter
wait_until 5 lab_log_has other ready

hostile() { # HTTP UDP WHAT-STATUS-SAYS HTTP-REQUESTS
    local what="$1, $2" log=$LAB_DIR/log/igd-watch.log
    lab_spawn "bad-$1" home-r "$LAB_TOOLS/badgateway" --address "$gateway_ip" --http "$1" --udp "$2" \
        --elsewhere "${LAB_IP[other]}"
    wait_until 5 lab_log_has "bad-$1" ready
    : >"$log"
    igd_watch >"$log" 2>/dev/null &
    LAB_PID[watch]=$!
    overlay_up home
    assert_soon "$what: it is given up" 12 asked_all
    lab_stop watch KILL || :
    assert_le "$what: no child got older than 6 s, in ms" "$(awk '$2 > m { m = $2 } END { print m + 0 }' "$log")" 6200
    assert_le "$what: nor bigger than 64 MiB, in KiB" "$(awk '$3 > m { m = $3 } END { print m + 0 }' "$log")" 65536
    assert_match "$what: status says why" "$(portmap_own home .why)" "$3"
    assert "$what: tund runs" lab_alive tund-home
    assert_soon "$what: and carries packets" 5 overlay_ping home away
    assert_eq "$what: no mapped address is told to anybody" \
        "$(tundctl away explain home --json | jq '[.candidates[] | select(.origin == "mapped")] | length')" 0
    overlay_down home
    lab_stop "bad-$1" || :
    assert_match "$what: the gateway was asked by PCP and by UPnP" "$(tail -n 1 "$LAB_DIR/log/bad-$1.log")" \
        "ssdp [1-9][0-9]* http $4 pmp [1-9]"
}

hostile huge short 'neither PCP|does not answer' 1
hostile headers nonce 'neither PCP|does not answer' 1
hostile drip other 'neither PCP|does not answer' 1
hostile deep none 'neither PCP|does not answer' 1
hostile redirect none 'neither PCP' 1
hostile location short 'points to another host' 0
hostile control nonce 'points to another host' 1
hostile base other 'points to another host' 1

lab_stop other || :
assert_match "the other host was never spoken to" "$(tail -n 1 "$LAB_DIR/log/other.log")" 'http 0 pmp 0$'
lab_spawn bad home-r "$LAB_TOOLS/badgateway" --address "$gateway_ip" --http none --udp counter
lab_exec other curl -s -m 2 "http://$gateway_ip:5000/" || :
lab_stop bad || :
assert_match "(and the count is one that counts)" "$(tail -n 1 "$LAB_DIR/log/bad.log")" 'http 1 '
