#!/bin/bash
# Where UDP is blocked, members talk through the coordinator by TLS on port 443, and by
# UDP again as soon as it passes.
#
#                coord  (UDP 3478, TCP 443)
#                  |
#        --------inet----------
#        |         | 20 ms    |
#    office-r   hotel-r     home-r      office, hotel: only TCP 80 and 443
#        |         |          |         home: port-restricted
#     office     hotel      home
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord
lab_home office port-restricted
lab_home hotel port-restricted
lab_home home port-restricted
overlay_members home office hotel

transport() { overlay_status "$1" .coordinator.transport; }
by_tls() { overlay_connected "$1" && [[ $(transport "$1") == tls ]]; }
by_udp() { overlay_connected "$1" && [[ $(transport "$1") == udp ]]; }
connections() { overlay_coord_status .tls.connections; }
has_connections() { [[ $(connections) == "$1" ]]; }

overlay_up home
assert "where UDP passes it is used" by_udp home
# on a machine that stood still for a second there was one, and it is kept for half a minute
assert_soon "and no TLS connection is kept" 40 has_connections 0

lab_block_udp office
lab_block_udp hotel
overlay_start office
assert_soon "an office that blocks UDP is connected by TLS" 3 by_tls office
assert_soon "and pings a member at home" 5 overlay_ping office home
assert_soon "who pings it" 5 overlay_ping home office
assert "through the relay" overlay_is home office relay
overlay_start hotel
assert_soon "a hotel that blocks UDP as well is connected" 3 by_tls hotel
assert_soon "and pings the office" 5 overlay_ping hotel office
assert_match "tundctl status says so" "$(tundctl hotel status)" 'joined, TLS to 55.1.0.10 port 443'
# besides, for some seconds, those by which members ask how they are seen by TCP (story 63)
assert_soon "the coordinator has two TLS connections" 20 has_connections 2

lab_allow_udp office
assert_soon "UDP passes again at the office: it is used" 10 by_udp office
assert_soon "and the path to the member at home becomes direct" 20 eval \
    "overlay_ping office home; overlay_is office home direct"
assert_soon "the hotel is reached as ever" 5 overlay_ping office hotel
overlay_down hotel
assert_soon "who stops says goodbye: to others it is unreachable at once" 5 eval \
    'tundctl home ping hotel --count 1; [[ $(overlay_peer home hotel .reachable) == false ]]'
