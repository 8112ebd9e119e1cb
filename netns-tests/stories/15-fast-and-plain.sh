#!/bin/bash
# What comes out of the tunnel is the same, byte for byte, whether packets are split, merged and sent
# in trains (tund/fast) or one by one (tund-plain): TCP and UDP, IPv4 and IPv6, all sizes, odd
# flags and options, fragments, wrong checksums, and large packets that have to be split.
#
#     a (wg0) == tunnel == b (wg0) --- c
#     tunmill in                       tunmill out: b's link carries single packets only
#
# The kernel splits what the plain one gets, and what the fast one has merged.
# time limit: 120 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/wireguard.sh"

plain=$LAB_BIN/tund/tund-plain
require "the build has tund/fast, and tund-plain beside it" test -x "$plain"

lab_host a
lab_host b
lab_netns c
ip link add name eth0 netns a type veth peer name eth0 netns b
ip link add name eth1 netns b type veth peer name eth0 netns c
lab_ip a <<<$'addr add 10.77.0.1/24 dev eth0\nlink set eth0 up'
lab_ip b <<<$'addr add 10.77.0.2/24 dev eth0\nlink set eth0 up\naddr add 10.88.0.1/24 dev eth1\naddr add fd88::1/64 dev eth1 nodad\nlink set eth1 up'
lab_ip c <<<$'addr add 10.88.0.2/24 dev eth0\naddr add fd88::2/64 dev eth0 nodad\nlink set eth0 up\nroute add default via 10.88.0.1\nroute add default via fd88::1'
lab_forwarding b
lab_exec b ethtool -K eth1 tx off sg off tso off gso off >/dev/null
lab_exec c ethtool -K eth0 gro off >/dev/null
wg_identity a 1
wg_identity b 2

# tunnel PROGRAM [OPTION...]: both ends of it, and c behind b
tunnel() {
    TUND=$1
    wg_up a tund "${@:2}"
    wg_up b tund "${@:2}"
    wg_setconf b a
    wg_setconf a b "Endpoint = 10.77.0.2:51820" "AllowedIPs = 10.88.0.0/24, fd88::/64"
    lab_ip a <<<$'route add 10.88.0.0/24 dev wg0\nroute add fd88::/64 dev wg0'
    wait_until 10 lab_exec a ping -q -c 1 -W 1 10.88.0.2 || lab_die "c cannot be reached"
    wait_until 10 lab_exec a ping -q -c 1 -W 1 fd88::2 || lab_die "c cannot be reached over IPv6"
}

# mill NAME SEED: what came out, in $LAB_DIR/NAME-SEED; and how many packets the TUN of b was written
mill() {
    local before
    before=$(tun_packets)
    assert "$1, seed $2: every burst arrives" "$LAB_TOOLS/tunmill" --from a --in wg0 --to c --out eth0 \
        --source4 "${WG_FOUR[a]}" --target4 10.88.0.2 --source6 "${WG_SIX[a]}" --target6 fd88::2 \
        --seed "$2" "$LAB_DIR/$1-$2"
    WRITES=$(($(tun_packets) - before))
}
tun_packets() { lab_exec b cat /sys/class/net/wg0/statistics/rx_packets; }

seeds=(1 2 "$((RANDOM * 32768 + RANDOM))")
program=$TUND
declare -A plain_writes=()
tunnel "$plain"
for seed in "${seeds[@]}"; do
    mill plain "$seed"
    plain_writes[$seed]=$WRITES
done
wg_down a
wg_down b
for threads in 0 2; do
    tunnel "$program" --threads "$threads"
    for seed in "${seeds[@]}"; do
        mill "fast-$threads" "$seed"
        assert "seed $seed, $threads threads: the same packets come out" \
            cmp "$LAB_DIR/plain-$seed" "$LAB_DIR/fast-$threads-$seed"
        assert_ge "seed $seed: thousands of them" "$(wc -l <"$LAB_DIR/plain-$seed")" 3000
        assert_le "seed $seed: and many were written as one" "$((WRITES * 10))" \
            "$((plain_writes[$seed] * 7))"
    done
    wg_down a
    wg_down b
done
assert_fails "another seed gives other packets" cmp "$LAB_DIR/plain-1" "$LAB_DIR/plain-2"
