#!/bin/bash
# A member whose certificate says that it is a device, played by a daemon on Linux: what is longer
# than 1024 bytes is lost on its way, as in a modem, and nobody notices.
#
#                  coord  relays
#                    |
#        ----------inet----------
#        |                      |
#       a-r (port-restricted)  d-r (symmetric; datagrams above 1024 bytes vanish)
#        |                      |
#        a  laptop              d  joins by the invite in tund_config.h
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord
lab_home a port-restricted delay=5
lab_home d symmetric delay=5
require "a makes a network" tundctl a create home --coordinator "$COORD_URL" --name a

# --- the invite ---
out=$LAB_DIR/electron
invite() { tundctl a invite --device d --out "$out" "$@"; }
said=$(invite 2>&1)
assert_match "invite --device says what to do next" "$said" 'tund_config\.h.*build'
assert_eq "the file is for its owner alone" "$(stat -c '%a %a' "$out/tund_config.h")" "600 600"
assert_eq "and so is the directory" "$(stat -c %a "$out")" 700
first=$(<"$out/tund_config.h")
assert_status "a second time it refuses" 1 invite
assert_eq "and leaves the file alone" "$(<"$out/tund_config.h")" "$first"
assert "with --force it is replaced" invite --force
assert_fails "by another" test "$(<"$out/tund_config.h")" = "$first"
assert_status "a device has one name" 2 invite --name d
assert_match "the file compiles, and holds the invite" \
    "$(printf '#include "tund_config.h"\nTUND_DEVICE_NAME TUND_INVITE\n' | cc -E -P -I "$out" -)" '"d" "tund-invite-1\.'
tundctl d join - < <(sed -n 's/^ *"\(tund-invite.*\)"$/\1/p' "$out/tund_config.h") >"$LAB_DIR/log/join.log" 2>&1 ||
    lab_die "join on d: $(<"$LAB_DIR/log/join.log")"
for host in a d; do
    overlay_learn "$host"
done

# --- what the modem does: d-r stands for it. d's trains of datagrams are taken apart before they get there ---
lab_exec d ip link set dev eth0 gso_max_segs 1
printf 'table inet modem {\n    chain forward { type filter hook forward priority 0; udp length gt 1032 counter drop; udp length gt 1000 counter; }\n}\n' |
    lab_exec d-r nft -f -
counted() { lab_exec d-r nft -j list table inet modem | jq "[.. | .counter? // empty | .packets][$1]"; }

assert_soon "a learns of the device" 20 overlay_knows a d
assert_soon "and reaches it" 10 overlay_ping a d
assert_eq "status calls it a device, with its MTU" "$(overlay_peer a d '"\(.device) \(.mtu)"')" "true 984"

# --- routes ---
assert_match "its IPv4 address has a route with its MTU" "$(lab_exec a ip -4 route show "${OVERLAY_IP[d]}")" 'mtu 984'
assert_match "IPv6 has 1280, and TCP asks for less" \
    "$(lab_exec a ip -6 route show "${OVERLAY_IP6[d]}")" 'mtu 1280 .*advmss 924|advmss 924.*mtu 1280'

# --- packets: to the byte ---
ping_size() { lab_exec a ping "$1" -c 1 -W 3 -M do -s "$3" "$2"; }
assert "IPv4 that just fits is answered" ping_size -4 "${OVERLAY_IP[d]}" 956
assert_match "one byte more is refused by the route, with the MTU" \
    "$(ping_size -4 "${OVERLAY_IP[d]}" 957 2>&1 || :)" 'mtu=984|message too long'
assert "IPv6 of 1280 bytes is answered, each way in two fragments" ping_size -6 "${OVERLAY_IP6[d]}" 1232
# a route of the user's that knows nothing: the daemon answers
lab_exec a ip route replace "${OVERLAY_IP[d]}" dev tund0 src "${OVERLAY_IP[a]}" mtu 1400
lab_exec a ip route flush cache
assert_match "without its route the daemon says that it is too big" \
    "$(ping_size -4 "${OVERLAY_IP[d]}" 1200 2>&1 || :)" 'mtu = 984'
assert_match "which the kernel remembers" "$(lab_exec a ip route get "${OVERLAY_IP[d]}")" 'mtu 984'
lab_exec a ip route flush cache
assert "so larger pings that may be split are answered" lab_exec a ping -4 -c 1 -W 3 -s 1200 -M dont "${OVERLAY_IP[d]}"

# --- TCP both ways, in both families ---
sum=$(lab_random_file "$LAB_DIR/file" 100000)
for host in a d; do
    lab_spawn "serve-$host" "$host" "$LAB_TOOLS/httpserve" "$LAB_DIR/file"
    wait_until 5 lab_log_has "serve-$host" ready
done
fetch() { lab_exec "$1" curl -s -m 30 "http://$2:8080/" | sha256sum | cut -d ' ' -f 1; }
assert_eq "100 KB come from the device" "$(fetch a "${OVERLAY_IP[d]}")" "$sum"
assert_eq "and go to it" "$(fetch d "${OVERLAY_IP[a]}")" "$sum"
assert_eq "over IPv6 as well" "$(fetch a "[${OVERLAY_IP6[d]}]")" "$sum"
assert_eq "both ways" "$(fetch d "[${OVERLAY_IP6[a]}]")" "$sum"
assert_eq "no datagram was too long for the modem" "$(counted 0)" 0
assert_ge "and many just fitted" "$(counted 1)" 200
