#!/bin/bash
# TCP to a device behind a carrier's NAT, over IPv4 and IPv6: its status page, 100 KB down and up with their
# checksums, requests that it refuses, more connections than it has room for.
#
#        coord
#          |
#        inet -------------------- home-r (port-restricted) -- home: the laptop
#          |
#        isp-r (symmetric, 50 ms) -- isp: tund-device
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
device_start isp electron-1
assert_soon "the device is there" 5 device_is isp electron-1 online
assert_soon "and it answers" 20 overlay_ping home electron-1
address=${OVERLAY_IP[electron-1]}
address6="[${OVERLAY_IP6[electron-1]}]"
fetch() { web_fetch home "$@"; }
# not there? meson configure build -Dlwip=enabled && ninja -C build
assert "TCP: the status page comes" fetch -o "$LAB_DIR/page" "http://$address/"
assert_match "curl: the status page tells its name" "$(<"$LAB_DIR/page")" '<th>name<td>electron-1'
assert "over IPv6 as well" fetch -o "$LAB_DIR/page6" "http://$address6/"
assert_match "and it is the same page" "$(<"$LAB_DIR/page6")" '<th>name<td>electron-1'
assert_match "the laptop's route to it says how much a packet may have" \
    "$(lab_exec home ip -4 route show "$address")" 'mtu 984'
web_transfers home "$address"
web_transfers home "$address6"

code() { fetch -o /dev/null -w '%{http_code}' "$@"; }
assert_eq "what is not there is 404" "$(code "http://$address/nothing")" 404
assert_eq "what cannot be done there is 405" "$(code -X DELETE "http://$address/")" 405
assert_eq "what is not understood is 400" "$(code -H 'Transfer-Encoding: chunked' -d x "http://$address/upload")" 400
assert_status "a port where nobody listens refuses at once" 7 fetch -m 5 "http://$address:81/"
# shellcheck disable=SC2016 # for the shell on the host
lab_exec home bash -c 'for i in 1 2 3 4; do curl -s -m 20 -o /dev/null "http://$0/bytes/20000" & done; wait' "$address"
assert "after four at once it still serves" fetch -o /dev/null "http://$address/"
