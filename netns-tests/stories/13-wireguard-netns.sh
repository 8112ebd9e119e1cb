#!/bin/bash
# The interface can be moved to another network namespace; the UDP sockets stay where tund was
# started, also those made later.
#
#        coord == wg0 of wireguard-go
#          |
#        inet
#          |
#        home-r
#          |
#        home: tund   - - - moved - - ->   vault: wg0, and nothing else
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/wireguard.sh"

lab_internet
lab_home home port-restricted delay=1
wg_identity coord 1
wg_identity home 2
wg_up coord wireguard-go
wg_setconf coord home
lab_netns vault
wg_up home tund
wg_setconf home coord "Endpoint = $COORD_IP:51820"
ip -n home link set wg0 netns vault
lab_ip vault <<IP
addr add ${WG_FOUR[home]}/24 dev wg0
link set wg0 up
IP
assert_eq "the vault has no way out but the tunnel" \
    "$(ip -n vault -json link | jq -r '.[].ifname' | sort | xargs)" "lo wg0"
assert "the vault reaches the server through the tunnel" lab_exec vault ping -q -c 3 -i 0.1 -W 2 "${WG_FOUR[coord]}"
assert_match "the socket is in the home" "$(lab_exec home ss -Hlun)" ':51820 '
assert_eq "and not in the vault" "$(lab_exec vault ss -Hlun)" ""
lab_exec home wg set wg0 listen-port 45678
assert_match "a port set later is the home's, too" "$(lab_exec home ss -Hlun)" ':45678 '
assert_eq "and not the vault's" "$(lab_exec vault ss -Hlun)" ""
assert "and the tunnel goes on" lab_exec vault ping -q -c 3 -i 0.1 -W 2 "${WG_FOUR[coord]}"
lab_exec vault ip link delete wg0
assert_soon "deleting the interface there ends the daemon" 5 lab_gone wg-home
assert_fails "and its socket is gone" lab_exec home test -e /run/wireguard/wg0.sock
