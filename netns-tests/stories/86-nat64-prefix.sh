#!/bin/bash
# A host without IPv4, a coordinator without IPv6, and a NAT64 between them whose prefix is the network's own: the
# name server tells it, by what it says of ipv4only.arpa. One home for each length of a prefix.
#
#        coord  55.1.0.10
#          |
#        inet                  20 ms
#    |     |     |
#  p32-r p56-r p96-r ...       a NAT64 and a name server on each
#    |     |     |
#   p32   p56   p96            IPv6 alone
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

# What 192.0.0.170 becomes behind each prefix, after the table in RFC 6052 section 2.2.
declare -A prefix=(
    [p32]=2a0f:32::/32 [p40]=2a0f:40:100::/40 [p48]=2a0f:48:122::/48 [p56]=2a0f:56:122:300::/56
    [p64]=2a0f:64:122:344::/64 [p96]=2a0f:96:122:344::/96)
declare -A told=(
    [p32]=2a0f:32:c000:aa:: [p40]=2a0f:40:1c0:0:aa:: [p48]=2a0f:48:122:c000:0:aa00::
    [p56]=2a0f:56:122:3c0:0:aa:: [p64]=2a0f:64:122:344:c0:0:aa00:: [p96]=2a0f:96:122:344::c000:aa)
# And the coordinator's address.
declare -A coordinator=(
    [p32]=2a0f:32:3701:a:: [p40]=2a0f:40:137:100:a:: [p48]=2a0f:48:122:3701:0:a00::
    [p56]=2a0f:56:122:337:1:a:: [p64]=2a0f:64:122:344:37:100:a00:0 [p96]=2a0f:96:122:344::3701:a)
homes=(p32 p40 p48 p56 p64 p96)

lab_internet
overlay_coord --listen "$COORD_IP"
for home in "${homes[@]}"; do
    lab_home "$home" port-restricted v6=firewall
    lab_only_v6 "$home"
    lab_nat64 "$home" "${prefix[$home]}"
    server=${LAB_IP6[$home]%:*}:1
    lab_spawn "dns-$home" "${LAB_ROUTER[$home]}" "$LAB_TOOLS/dns64" --address "$server" --aaaa "${told[$home]}"
    wait_until 5 lab_log_has "dns-$home" ready
    echo "nameserver $server" >"$LAB_DIR/resolv-$home"
    lab_exec "$home" mount --bind "$LAB_DIR/resolv-$home" /etc/resolv.conf
done
assert_fails "the usual prefix leads nowhere" lab_exec p96 ping -6 -c 1 -W 1 "64:ff9b::$COORD_IP"

overlay_members "${homes[@]}"
overlay_up "${homes[@]}"
for home in "${homes[@]}"; do
    assert_eq "${prefix[$home]}: the coordinator is reached by it" \
        "$(overlay_status "$home" .coordinator.endpoint)" "[${coordinator[$home]}]:3478"
    assert_match "${prefix[$home]}: netcheck tells it" "$(tundctl "$home" netcheck)" "NAT64  ${prefix[$home]}"
done
assert_soon "p32 answers p96" 5 overlay_ping p96 p32
