#!/bin/bash
# Keys are exchanged every two minutes and no packet is lost over it.
#
#        coord == wg0 of wireguard-go
#          |
#        inet
#          |
#        home == wg0 of tund
# time limit: 240 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/wireguard.sh"

lab_internet
lab_home home public delay=1
wg_identity coord 1
wg_identity home 2
wg_up home tund
wg_up coord wireguard-go
wg_setconf coord home
wg_setconf home coord "Endpoint = $COORD_IP:51820"
require "the tunnel is up" wg_ping home "${WG_FOUR[coord]}"
first=$(wg_show home latest-handshakes)

# 140 s of traffic both ways: the answers are the other end's data.
lab_spawn ping home ping -q -i 0.05 -c 2800 -W 2 "${WG_FOUR[coord]}"
rekeyed() { (($(wg_show home latest-handshakes) > first)); }
assert_soon "after two minutes there is a new handshake" 130 rekeyed
assert_between "it came after 120 s" $(($(wg_show home latest-handshakes) - first)) 119 123
assert "all pings end" wait "${LAB_PID[ping]}"
assert_match "and not one was lost" "$(<"$LAB_DIR/log/ping.log")" ' 0% packet loss'
