#!/bin/bash
# tund and wireguard-go understand each other, whoever begins, over IPv4 and IPv6,
# with a preshared key and without.
#
#        inet
#       /    \      1 ms each
#     a-r    b-r    (public, IPv6 open)
#      |      |
#      a ==== b     wg0: 10.9.0.1, fd09::1  -  10.9.0.2, fd09::2
#
# "a" begins: only it knows where the other is. Each program takes each part.
# time limit: 200 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/wireguard.sh"

lab_internet
lab_home a public delay=1 v6=open
lab_home b public delay=1 v6=open
wg_identity a 1
wg_identity b 2
psk=$(wg genpsk)
declare -A endpoint=([IPv4]=${LAB_IP[b]}:51820 [IPv6]=[${LAB_IP6[b]}]:51820)

handshaken() { (($(wg_show "$1" latest-handshakes) > 0)); }
received() { wg_show "$1" transfer | cut -f 1; }

# One configuration, from nothing: what must pass inside passes, and both ends tell of it.
check_pair() { # NAME OUTER [line...]
    local name="$1 over $2" outer=$2
    shift 2
    wg_setconf b a "$@"
    wg_setconf a b "Endpoint = ${endpoint[$outer]}" "$@"
    assert "$name: IPv4 passes" wg_ping a "${WG_FOUR[b]}"
    assert "$name: IPv6 passes" wg_ping a "${WG_SIX[b]}"
    assert "$name: also the other way" wg_ping b "${WG_FOUR[a]}"
    assert "$name: packets of full size pass" wg_ping a "${WG_FOUR[b]}" -M 'do' -s 1392
    assert "$name: packets of 20000 bytes pass, in fragments" wg_ping a "${WG_SIX[b]}" -s 20000
    assert "$name: both ends show the handshake" eval 'handshaken a && handshaken b'
    assert_ge "$name: a counts what it received" "$(received a)" 60000
    assert_ge "$name: b counts what it received" "$(received b)" 60000
    case $outer in
    IPv4) assert_eq "$name: b has learned where a is" "$(wg_show b endpoints)" "${LAB_IP[a]}:51820" ;;
    IPv6) assert_eq "$name: b has learned where a is" "$(wg_show b endpoints)" "[${LAB_IP6[a]}]:51820" ;;
    esac
}

# What must not work, or the above proves little.
check_refusals() { # NAME
    wg_setconf b a "PresharedKey = $(wg genpsk)"
    wg_setconf a b "Endpoint = ${endpoint[IPv4]}" "PresharedKey = $psk"
    assert_fails "$1: with different preshared keys nothing passes" \
        lab_exec a ping -q -c 2 -i 0.2 -W 1 "${WG_FOUR[b]}"
    wg_setconf b a
    wg_setconf a b "Endpoint = ${endpoint[IPv4]}"
    lab_exec b wg set wg0 peer "${WG_PUBLIC[a]}" allowed-ips 10.9.0.77/32
    assert_fails "$1: a source address that is not the peer's does not come in" \
        lab_exec a ping -q -c 2 -i 0.2 -W 1 "${WG_FOUR[b]}"
    lab_exec b wg set wg0 peer "${WG_PUBLIC[a]}" allowed-ips "${WG_FOUR[a]}/32"
    assert "$1: and does when it is" wg_ping a "${WG_FOUR[b]}"
}

for pair in "tund wireguard-go" "wireguard-go tund" "tund tund"; do
    read -r left right <<<"$pair"
    wg_up a "$left"
    wg_up b "$right"
    check_pair "$left to $right" IPv4
    check_pair "$left to $right" IPv6
    check_pair "$left to $right, preshared key," IPv4 "PresharedKey = $psk"
    check_refusals "$left to $right"
    for way in "" --reverse; do
        wg_mbit a b --time 2 $way
        assert_ge "$left to $right: TCP ${way:-forward} moves, Mbit/s" "$MBIT" 50
    done
    wg_down a
    wg_down b
done
