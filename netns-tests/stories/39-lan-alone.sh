#!/bin/bash
# Two machines of one LAN find each other when there is no internet and no coordinator, both daemons
# just started: by multicast, with the roster that each has on its disk.
#
#        coord  (ends)
#          |
#        inet
#          | pulled
#        home-r
#          |
#        nas, laptop, stranger   (IPv4 and IPv6)
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord
lab_home home port-restricted hosts=nas,laptop,stranger v6=firewall
overlay_members nas laptop
overlay_up nas laptop
require "they learn of each other" wait_until 5 eval "overlay_knows nas laptop && overlay_knows laptop nas"
overlay_down nas laptop
lab_stop coordinator || diag "the coordinator ends with status $?"
lab_link home down

on_the_lan() { [[ $(overlay_peer laptop nas .endpoint) == *"$1"* ]]; }

overlay_start nas
overlay_start laptop
assert_soon "without a coordinator the first answer comes" 2 overlay_ping laptop nas
assert_soon "and the path is direct" 2 overlay_is laptop nas direct
assert_soon "on both sides" 2 overlay_is nas laptop direct
assert "status says that the coordinator is away" overlay_disconnected laptop
overlay_down nas laptop

# what a stranger on the LAN sees: initiations (156 bytes with the UDP header) that only their receiver can read
lab_exec stranger nft -f - <<'RULES'
table inet look {
 counter initiations { }
 counter others { }
 chain watch {
  type filter hook prerouting priority raw; policy accept;
  udp dport 51717 udp length 156 counter name initiations
  udp dport 51717 udp length != 156 counter name others
 }
}
RULES
counted() { lab_exec stranger nft list counter inet look "$1" | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }
overlay_start laptop
assert_fails "who is not there does not answer" overlay_ping laptop nas
assert_ge "a stranger sees initiations, by IPv4 and IPv6" "$(counted initiations)" 2
assert_eq "and nothing else" "$(counted others)" 0
overlay_start nas
assert_soon "one that starts later is found" 7 overlay_ping laptop nas
overlay_down nas laptop

for host in nas laptop; do
    lab_exec "$host" ip -4 address flush dev eth0
done
overlay_start nas
overlay_start laptop
assert_soon "with IPv6 alone the first answer comes" 2 overlay_ping laptop nas
assert_soon "by the other's IPv6 address" 2 on_the_lan "${LAB_IP6[nas]}"
overlay_down nas laptop

overlay_start nas --no-lan
overlay_start laptop
assert_fails "who does not listen is not found" overlay_ping laptop nas
