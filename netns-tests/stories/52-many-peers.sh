#!/bin/bash
# A hub with 10,000 peers is there within two seconds of processor time. When a hundred of them talk, its memory
# stays what it was, and a packet costs it what it costs a hub that has no others.
#
#            inet
#           /    \      1 ms each
#       hub-r    crowd-r      (public)
#         |         |
#        hub      crowd       a process with 100 WireGuard peers in it
#        wg0: 10.127.255.1, the peers behind it: 10.64.0.0 and on
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/wireguard.sh"

shakeload=$LAB_BIN/tund/tests/bench/shakeload
talk_s=5

lab_internet
lab_home hub public delay=1
lab_home crowd public delay=1
wg_identity hub 1

cpu_ms() { awk '{ printf "%d", $1 / 1e6 }' "/proc/${LAB_PID[wg-hub]}/schedstat"; }
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
public_hex() { base64 -d <<<"${WG_PUBLIC[hub]}" | od -An -v -tx1 | tr -d ' \n'; }

# hub_up PEERS: wg0 with so many peers; says what that took.
hub_up() {
    local peers=$1 began
    { printf '[Interface]\nPrivateKey = %s\nListenPort = 51820\n' "${WG_PRIVATE[hub]}"
        "$shakeload" peers "$peers"; } >"$LAB_DIR/hub.conf"
    began=$(now_ms)
    lab_spawn wg-hub hub "$TUND" -f --peers "$peers" wg0
    wait_until 5 lab_exec hub test -S /run/wireguard/wg0.sock || lab_die "wg0 does not come up"
    lab_exec hub wg setconf wg0 "$LAB_DIR/hub.conf"
    diag "$peers peers: there after $(($(now_ms) - began)) ms, $(cpu_ms) ms of processor time," \
        "$(lab_rss_kib wg-hub) KiB"
    assert_eq "$peers peers are there" "$(lab_exec hub wg show wg0 peers | wc -l)" "$peers"
    lab_ip hub <<'IP'
addr add 10.127.255.1/10 dev wg0
link set wg0 mtu 1420 up
IP
}

# talk STEP: a hundred of the peers, each STEP-th. Sets COST_US, the hub's processor time for an echo.
talk() {
    local before said sent
    before=$(cpu_ms)
    said=$(lab_exec crowd "$shakeload" talk 0.0.0.0 100 "$1" "${LAB_IP[hub]}" 51820 "$(public_hex)" \
        10.127.255.1 "$talk_s")
    sent=$(jq .sent <<<"$said")
    COST_US=$((($(cpu_ms) - before) * 1000 / sent))
    diag "$said, $COST_US us of processor time each"
    assert_eq "a hundred have a session" "$(jq .up <<<"$said")" 100
    assert_ge "and get their echo: percent" $(($(jq .answered <<<"$said") * 100 / sent)) 90
}

hub_up 10000
assert_le "10,000 peers: ms of processor time until they are there" "$(cpu_ms)" 2000
before=$(lab_rss_kib wg-hub)
talk 100
many=$COST_US
assert_le "KiB that a hundred active ones add" $(($(lab_rss_kib wg-hub) - before)) 512
assert "the hub ends well" lab_stop wg-hub

hub_up 100
talk 1
assert_le "us for an echo among 10,000 peers, twice those among 100 at most" "$many" $((2 * COST_US))
