#!/bin/bash
# What becomes of a mapping: short leases, a restarted and a rebooted gateway, another outside address, two tunds
# with one port, what a killed tund left, a second NAT, an IPv6 firewall, and the commands for people.
#
#             coord
#               |
#        -----inet----------------
#        |                       |        20 ms
#      home-r (miniupnpd)      carrier (a NAT)
#        |                       |
#     home, twin              inner-r (miniupnpd)
#                                |
#                              inner
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/gateway.sh"

lab_internet
overlay_coord
gateway_home home symmetric lines='max_lifetime=4' hosts=home,twin v6=open
lab_carrier carrier port-restricted
gateway_home inner port-restricted carrier=carrier
overlay_members home twin inner
wan=${LAB_EXTERNAL[home]}

# --- short leases ---
overlay_up home
assert_soon "the mapping is there" 8 portmap_by home pcp
port=$(portmap_port home)
assert_eq "its lease is as short as the gateway likes it" "$(portmap_own home .lease_s)" 4
measure_ms waited wait_until 9 gateway_maps_not home "$port" || :
assert_ge "it is renewed: after more than two leases it is there still, in ms" "$waited" 8900
assert_eq "on the same outside port" "$(portmap_port home)" "$port"

# --- IPv6 ---
pinhole() { lab_exec home-r nft list chain inet filter miniupnpd | grep -q "ip6\|nfproto ipv6\|@nh,192,128"; }
pinhole_is() { [[ $(overlay_status home '.portmap.mappings[] | select(.family == "ipv6") | .state') == mapped ]]; }
assert_soon "PCP opens the IPv6 firewall for the port as well" 8 pinhole_is
overlay_down home

# --- restart, reboot, another address ---
GATEWAY_LINES[home]=''
gateway_daemon home TERM
gateway_load home symmetric
gateway_daemon home start
overlay_up home
assert_soon "with a long lease" 8 portmap_by home pcp
port=$(portmap_port home)
# an epoch is in seconds, and may be off by two of them: less cannot show that it began anew
rested() { [[ $(portmap_own home '.renew_in_s < 3595') == true ]]; }
wait_until 10 rested
gateway_daemon home TERM
gateway_daemon home start
assert "the gateway's daemon is restarted: what it had mapped is mapped" gateway_maps home "$port"
wait_until 15 rested
gateway_reboot home symmetric
assert "the gateway is rebooted: nothing is mapped" gateway_maps_not home "$port"
assert_soon "its announcement is heard: the same port is mapped again" 20 gateway_maps home "$port"
lab_ip home-r <<IP
addr del $wan/24 dev wan
addr add ${wan%.2}.77/24 dev wan
route add default via ${wan%.2}.1
IP
is_moved() { [[ $(portmap_own home .external) == "${wan%.2}.77:$port" ]]; }
assert_soon "its outside address changes: the mapping is told with the new one" 10 is_moved
lab_ip home-r <<IP
addr del ${wan%.2}.77/24 dev wan
addr add $wan/24 dev wan
route add default via ${wan%.2}.1
IP
is_back() { [[ $(portmap_own home .external) == "$wan:$port" ]]; }
assert_soon "and with the old one when that is back" 20 is_back

# --- two with one port, by each protocol; stale entries ---
for protocol in pcp natpmp upnp; do
    overlay_down home
    gateway_daemon home TERM
    GATEWAY_ONLY[home]=$protocol
    gateway_load home symmetric
    gateway_daemon home start
    overlay_start home --port 50505
    overlay_start twin --port 50505
    assert_soon "$protocol: home has a mapping" 8 portmap_by home "$protocol"
    assert_soon "$protocol: twin has one of the same inside port" 8 portmap_by twin "$protocol"
    assert "$protocol: on different outside ports" [ "$(portmap_port home)" != "$(portmap_port twin)" ]
    [[ $protocol == upnp ]] || overlay_down twin
done
lab_stop tund-home KILL || :
assert_eq "home's tund is killed: both entries stay" "$(gateway_rules home)" 2
overlay_start home --port 50506
assert_soon "the next start maps its new port" 8 portmap_by home upnp
assert_eq "and sweeps its own stale entry, not twin's" "$(gateway_rules home)" 2
assert_eq "as status tells" "$(overlay_status home .portmap.swept)" 1
assert "twin's is there still" gateway_maps home "$(portmap_port twin)"
overlay_down twin

# --- for people ---
assert_match "portmap list shows the gateway and its table" "$(tundctl home portmap)" \
    'UPnP there \(IGD 2\).*50506/udp.*UPnP.*-> 192\.168\.1\.2:50506  tund [0-9a-f]{8}'
assert_match "portmap add maps a port for another program" "$(tundctl home portmap add 8080/tcp --external 8888)" \
    "^$wan:8888 is mapped to port 8080 of this machine, by UPnP"
assert "the gateway has it" gateway_maps home 8888
assert_eq "and --json lists it" "$(tundctl home portmap --json | jq -r '.mappings[] | select(.port == 8080) | .external')" "$wan:8888"
assert_status "the same again is refused" 1 tundctl home portmap add 8080/tcp
assert_status "a protocol that is not there maps nothing" 1 tundctl home portmap add 8081/tcp --by pcp
assert_eq "and leaves nothing behind" "$(tundctl home portmap --json | jq '.mappings | map(select(.port == 8081)) | length')" 0
assert "portmap del removes it" tundctl home portmap del 8080/tcp
assert "from the gateway, too" gateway_maps_not home 8888
assert_status "what is not there cannot be removed" 1 tundctl home portmap del 9999/udp
assert_status "the node's own port stays" 1 tundctl home portmap del 50506
assert_status "a word that is no port is wrong usage" 2 tundctl home portmap add web
overlay_down home
assert_eq "at the end the gateway's table is empty" "$(gateway_rules home)" 0

# --- a second NAT ---
overlay_up inner
assert_soon "behind a carrier's NAT the gateway refuses" 15 portmap_is inner failed
assert_match "and explain says that it has no public address" "$(tundctl inner explain home)" \
    'port mapping  none: .*(no public address|no room)'
