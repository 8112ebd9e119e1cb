#!/bin/bash
# A gateway that maps and does not forward, from the start or after it had done so for a while: the coordinator's
# dial-back finds out, the mapping is deleted and asked for once more, then left; no packet is lost to it.
#
#                coord 55.1.0.10, .11
#                  |
#        --------inet---------
#        |                   |     20 ms
#      home-r              away-r   symmetric both
#      miniupnpd, whose rules     |
#      no packet comes by        away
#        |
#       home
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/gateway.sh"

lab_internet
overlay_coord --listen "$COORD_IP" --listen "$COORD_IP_2"
gateway_home home symmetric lies=1
lab_home away symmetric
overlay_members home away
overlay_up away
overlay_start home
assert_soon "the gateway says that it maps the port" 8 lab_log_has tund-home 'the gateway maps 55\.2\.1\.2'
wait_until 10 overlay_connected home
lab_spawn pings away ping -q -c 80 -i 0.1 -W 1 "${OVERLAY_IP[home]}"
assert_soon "that is found out" 10 portmap_is home failed
wait_until 15 lab_gone pings
assert_match "meanwhile not one of 80 pings is lost" "$(<"$LAB_DIR/log/pings.log")" ', 0% packet loss'
assert_match "and status says so" "$(tundctl home status)" 'lets nothing through'
assert_eq "it was asked twice" "$(grep -c 'the gateway maps 55' "$LAB_DIR/log/tund-home.log")" 2
assert_eq "nothing is left in its table" "$(gateway_rules home)" 0
assert "the path is the relay" overlay_is away home relay
assert_eq "nobody is told of the mapping any more" \
    "$(tundctl home status --json | jq '[.self.reach[] | select(.origin == "mapped")] | length')" 0

# --- one that begins to lie after it has forwarded ---
overlay_down home away
gateway_daemon home TERM
gateway_load home symmetric
gateway_daemon home start
overlay_up home away
assert_soon "the gateway maps the port" 8 portmap_is home mapped
assert_soon "and the dial-back comes through" 10 portmap_verdict_is home answered
assert_soon "home answers away" 5 overlay_ping away home
assert_soon "directly" 5 overlay_is away home direct
is_rested() { [[ $(overlay_status home '[.self.reach[] | select(.origin == "mapped") | .checked_s] | min > 10') == true ]]; }
assert_soon "and it was a while ago that it was found open" 15 is_rested
lab_spawn pings2 away ping -q -i 0.1 -W 1 "${OVERLAY_IP[home]}"
gateway_lies home "$(portmap_port home)"
assert_soon "it forwards no more: that is found out" 10 portmap_is home failed
assert_match "and status says so" "$(tundctl home status)" 'lets nothing through'
lab_stop pings2 INT || :
assert_eq "nobody is told of the mapping any more" \
    "$(tundctl home status --json | jq '[.self.reach[] | select(.origin == "mapped")] | length')" 0
lab_spawn pings3 away ping -q -c 30 -i 0.1 -W 1 "${OVERLAY_IP[home]}"
wait_until 10 lab_gone pings3
assert_match "and not one of 30 pings is lost" "$(<"$LAB_DIR/log/pings3.log")" ', 0% packet loss'
