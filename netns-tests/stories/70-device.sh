#!/bin/bash
# A device behind a carrier's NAT joins by invite and answers a laptop: ping in both families, UDP,
# CoAP; through the relay alone, and again after a restart.
#
#        coord
#          |
#        inet -------------------- home-r (port-restricted) -- home: the laptop
#          |
#        isp-r (symmetric: maps and filters by address and port)
#          |
#         isp: tund-device, the firmware's core as a process
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/device.sh"

lab_internet
lab_home home port-restricted
lab_home isp symmetric delay=50
overlay_coord
overlay_members home
device_invite home electron-1
overlay_up home
device_start isp --budget 250000 electron-1
assert_soon "the device joins by its invite" 5 device_is isp electron-1 online
assert_soon "the laptop knows it" 5 overlay_knows home electron-1
assert_soon "and it answers" 3 overlay_ping home electron-1
loss=$(lab_exec home ping -c 50 -i 0.05 -W 2 -q -s 360 "${OVERLAY_IP[electron-1]}" | sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p')
assert_eq "all of 50 pings of 388 bytes" "$loss" 0
assert "IPv6 inside as well" lab_exec home ping -6 -c 2 -i 0.2 -W 3 "${OVERLAY_IP6[electron-1]}"
assert_eq "the way is the relay" "$(overlay_peer home electron-1 .path)" relay

assert_eq "UDP: port 7 echoes" "$(udp_ask home "${OVERLAY_IP[electron-1]}" 7 'a card in the rain')" 'a card in the rain'
get='\x41\x01\x12\x34\x99\xb6status' # CON, GET, id 1234, token 99, Uri-Path status
coap=$(udp_ask home "${OVERLAY_IP[electron-1]}" 5683 "$get" | to_hex)
assert_match "CoAP: GET /status is answered, piggybacked, with its token" "$coap" '^6145123499c100ff'
assert_match "it tells its name" "$(udp_ask home "${OVERLAY_IP[electron-1]}" 5683 "$get" | tr -d '\0')" 'name electron-1'

told() { [[ $(overlay_peer home electron-1 ".told.$1") == "$2" ]]; }
assert_soon "it has told the laptop of its budget" 2 told budget_bytes 250000
assert "and what it has used of it" told 'used_bytes | . > 500 and . < 250000' true
assert_match "tundctl status shows both, and how often it speaks" "$(tundctl home status)" \
    'electron-1 +[0-9.]+ KiB today of 244.1 KiB;.* speaks each [0-9]+ s; told [0-9]+ s ago'

assert "the device ends" lab_stop device-isp
: >"$LAB_DIR/log/device-isp.log"
device_start isp electron-1
assert_soon "after a restart it is back without an invite" 5 device_is isp electron-1 online
# nothing tells the laptop: WireGuard makes a new session after 15 s without an answer
assert_soon "and answers in the laptop's next session" 25 overlay_ping home electron-1

lab_stop coordinator
overlay_coord
assert_soon "after the coordinator was restarted the device is back, for it is called" 10 overlay_ping home electron-1 -W 1
# Rows of its file of those who are connected: their last byte, the number of starts, is 0.
has_written() { (($(od -An -v -tu1 -w72 -j14 "$LAB_DIR/coordinator/places" | awk 'NF == 72 && $72 == 0' | wc -l) == $1)); }
assert_soon "it has written down where both are" 3 has_written 2
assert_status "the coordinator is killed" 137 lab_stop coordinator KILL
overlay_coord
assert_soon "and so after it was killed" 10 overlay_ping home electron-1 -W 1
diag "$(lab_exec coord cat "$LAB_DIR/log/coordinator.log" | grep 'of before')"
