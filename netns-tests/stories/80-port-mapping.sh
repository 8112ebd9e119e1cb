#!/bin/bash
# A gateway maps a member's port, by each of three protocols: peers behind any NAT then just send to it.
#
#                coord 55.1.0.10, .11
#                  |
#        --------inet---------
#        |                   |     20 ms
#      home-r              away-r   symmetric both: no punching gets through
#      miniupnpd             |
#        |                  away
#       home
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/gateway.sh"

lab_internet
overlay_coord --listen "$COORD_IP" --listen "$COORD_IP_2"
gateway_home home symmetric
lab_home away symmetric
lab_prove away --wait 400
overlay_members home away

meet() { # PROTOCOL ITS-NAME
    overlay_up home away
    assert_soon "$1: the gateway maps the port" 8 portmap_by home "$1"
    assert "$1: its table has the port that tund says" gateway_maps home "$(portmap_port home)"
    assert_soon "$1: the coordinator's dial-back comes through" 10 portmap_verdict_is home answered
    assert_soon "$1: home answers away" 5 overlay_ping away home
    assert_soon "$1: directly" 2 overlay_is away home direct
    assert_match "$1: by the mapped port" "$(overlay_peer away home .endpoint)" "^${LAB_EXTERNAL[home]}:$(portmap_port home)$"
    assert_match "$1: status tells people" "$(tundctl home status)" "port mapping  ${LAB_EXTERNAL[home]}:[0-9]+ by $2, and the coordinator reaches us there"
    assert_match "$1: and so does explain" "$(tundctl home explain away)" "port mapping  ${LAB_EXTERNAL[home]}:"
    port=$(portmap_port home)
    overlay_down home away
    assert "$1: when tund ends, the mapping is removed" gateway_maps_not home "$port"
}

meet pcp PCP
for protocol in natpmp upnp; do
    gateway_daemon home TERM
    GATEWAY_ONLY[home]=$protocol
    gateway_load home symmetric
    gateway_daemon home start
    meet "$protocol" "$([[ $protocol == upnp ]] && echo UPnP || echo NAT-PMP)"
done

# --- and without ---
gateway_load home symmetric # what was direct is forgotten, too
overlay_start home --portmap off
overlay_up away
assert_soon "with --portmap off it connects" 10 overlay_connected home
assert_match "and asks nobody" "$(tundctl home status)" 'port mapping  off'
assert_soon "so home answers away" 5 overlay_ping away home
assert "through the relay" overlay_is away home relay
