#!/bin/bash
# Streams and datagrams both ways for some seconds, with the default number of threads and with two: the
# daemons live, end well and complain of nothing. With a build that has a sanitizer (run --bin
# build-tsan) this is what it watches; scripts/test does that. TRAFFIC_SECONDS: of each way.
#
#     a (wg0) == tunnel == b (wg0)
# time limit: 900 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/wireguard.sh"

seconds=${TRAFFIC_SECONDS:-1}
# nobody may trace a daemon that holds keys, which the leak sanitizer would have to
export ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=halt_on_error=1

lab_host a
lab_host b
ip link add name eth0 netns a type veth peer name eth0 netns b
lab_ip a <<<$'addr add 10.77.0.1/24 dev eth0\nlink set eth0 up'
lab_ip b <<<$'addr add 10.77.0.2/24 dev eth0\nlink set eth0 up'
wg_identity a 1
wg_identity b 2

# traffic NAME [option of iperf3...]
traffic() {
    local name=$1
    wg_mbit a b --time "$seconds" "${@:2}"
    assert_ge "$name passes (Mbit/s)" "$MBIT" 1
}

for threads in '' 2; do
    wg_up a tund ${threads:+--threads "$threads"}
    wg_up b tund ${threads:+--threads "$threads"}
    wg_setconf b a
    wg_setconf a b "Endpoint = 10.77.0.2:51820"
    assert "${threads:-as many as help}: the tunnel is there" wg_ping a "${WG_FOUR[b]}"
    traffic "one stream"
    traffic "one stream the other way" --reverse
    traffic "four streams both ways" --parallel 4 --bidir
    traffic "small datagrams" --udp --length 64 --bitrate 8M
    traffic "large datagrams the other way, in fragments" --udp --length 1400 --bitrate 50M --reverse
    wg_down a
    wg_down b
    assert_fails "and nothing was complained of" grep -hE 'Sanitizer|runtime error' "$LAB_DIR"/log/wg-{a,b}.log
done
