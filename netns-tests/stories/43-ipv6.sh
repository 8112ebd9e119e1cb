#!/bin/bash
# IPv6 outside: homes whose IPv4 cannot be punched meet through their IPv6 firewalls, and a
# coordinator that has only an IPv6 address does as well. IPv6 inside always works.
#
#             coord 55.1.0.10, 2a00:1::10
#               |
#        -----inet------------------------
#        |           |          |        |     20 ms
#       a-r         b-r        x-r      y-r    symmetric; IPv6 with a stateful firewall,
#        |           |          |        |     x and y without IPv6
#        a           b          x        y
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
lab_home a symmetric v6=firewall
lab_home b symmetric v6=firewall
lab_home x symmetric
LAB_ADDRESSES=$COORD_IP6,$COORD_IP6_2 assert "a's IPv6 firewall lets in only what answers" \
    lab_natprobe a --expect mapping=none,filtering=APDF,punch=ok --wait 400
lab_prove a --wait 400

candidates() { tundctl "$1" explain "$2" --json | jq -r '.candidates[].address'; }
ping6_once() { lab_exec "$1" ping -6 -c 1 -W 3 "${OVERLAY_IP6[$2]}"; }

overlay_coord --listen "$COORD_IP" --listen "[$COORD_IP6]"
overlay_members a b x
overlay_up a b x
assert_soon "IPv6 inside: b answers a" 2 ping6_once a b
assert_soon "a and b become direct, although their IPv4 routers are symmetric" 3 overlay_is a b direct
assert_match "over IPv6" "$(overlay_peer a b .endpoint)" '^\[2a00:2:'
assert "so b answers by IPv4 inside, too" overlay_ping a b
assert_match "an IPv6 candidate is known of b" "$(candidates a b)" '\[2a00:2:'
assert_match "an IPv4 candidate as well" "$(candidates a b)" '(^|'$'\n'')[0-9]+\.'
assert_soon "IPv6 inside, IPv4 outside: x answers a" 2 ping6_once a x
assert "through the relay" overlay_is a x relay
overlay_down a b x
lab_stop coordinator || diag "the coordinator ends with status $?"

# --- everything over IPv6 ---
rm -rf "$LAB_DIR/coordinator"
for host in a b; do
    lab_exec "$host" rm -rf "$OVERLAY_STATE"
done
overlay_coord --listen "[$COORD_IP6]"
assert_match "an IPv6 coordinator's address has brackets" "$COORD_URL" '^tund://\[2a00:1::10\]:3478/'
overlay_members a b
overlay_up a b
assert_match "they reach it over IPv6" "$(overlay_status a .coordinator.endpoint)" '^\[2a00:1::10\]:3478$'
assert_soon "b answers a" 2 overlay_ping a b
assert_soon "directly in the end" 3 overlay_is a b direct
lab_cut a b
assert_soon "the direct way is cut: the relay takes over, over IPv6" 4 overlay_is a b relay
assert "b answers a" overlay_ping a b
