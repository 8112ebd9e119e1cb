#!/bin/bash
# The lab is what it says: sealed, private to each host, cut where it is cut.
#
#        coord
#          |
#        inet --------------- isp
#          |        |          |  \
#        a-r       b-r       c-r   d-r      (100.64/10)
#          |        |          |     |
#          a        b          c     d
#
# a and b are public, so that a datagram between them needs no punching; c and d
# share a carrier, where packets between them turn round.
. "$(dirname "$0")/../lib/lab.sh"

lab_internet
lab_home a public
lab_home b public
lab_carrier isp port-restricted
lab_home c port-restricted carrier=isp
lab_home d port-restricted carrier=isp
lab_nat d public # d's router answers on its 100.64 address

# How many of 20 datagrams arrive. The address is one of the second namespace's.
arrived() {
    "$LAB_TOOLS/pathmeter" --json --from "$1" --to "$2" --address "$3" --count 20 --wait 100 | jq .received
}

# --- sealed ---
assert_eq "the story's own namespace has no interface but lo" \
    "$(ip -o link | awk -F': ' '{ print $2 }')" "lo"
assert_fails "an address outside of the lab is unreachable" lab_exec a ping -c 1 -W 1 9.9.9.9
assert_eq "a link of 10 ms one-way is 20 ms there and back" \
    "$(lab_exec a ping -c 1 "$COORD_IP" | sed -n 's/.*time=2[0-9]*[.].*/20/p')" 20

# --- private to each host ---
for host in a b; do
    lab_exec "$host" sh -ec "mkdir -p /var/run/wireguard /var/lib/tund
        echo $host >/var/run/wireguard/who
        echo $host >/var/lib/tund/who
        ip tuntap add dev tund0 mode tun"
done
assert_eq "two hosts have a /var/run/wireguard each" \
    "$(lab_exec a cat /var/run/wireguard/who) $(lab_exec b cat /var/run/wireguard/who)" "a b"
assert_eq "and a /var/lib each" "$(lab_exec a cat /var/lib/tund/who) $(lab_exec b cat /var/lib/tund/who)" "a b"
assert "and an interface of the same name each" lab_exec b ip link show tund0
assert_fails "a third host sees none of it" lab_exec coord ls /var/run/wireguard
assert_eq "a host has its own name" "$(lab_exec a hostname)" a
assert_eq "and its own view of /sys" "$(lab_exec coord sh -c 'ls -d /sys/class/net/tund0 2>&1 | wc -l; ls /sys/class/net' | tr '\n' ' ')" "1 eth0 lo "

# --- cut in the middle ---
b_ip=${LAB_IP[b]} a_ip=${LAB_IP[a]}
assert_eq "datagrams pass from a to b" "$(arrived a b "$b_ip")" 20
lab_cut a b
assert_eq "after a cut none passes" "$(arrived a b "$b_ip")" 0
assert_eq "nor the other way" "$(arrived b a "$a_ip")" 0
assert_eq "all pass to the coordinator" "$(arrived a coord "$COORD_IP")" 20
assert_eq "and from it" "$(arrived coord b "$b_ip")" 20
assert "what is not UDP passes too" lab_exec a ping -c 1 -W 1 "$b_ip"
lab_restore_one_way a b
assert_eq "one way restored is one way" "$(arrived a b "$b_ip") $(arrived b a "$a_ip")" "20 0"
lab_restore_one_way b a
assert_eq "both restored are both" "$(arrived b a "$a_ip")" 20

d_ip=${LAB_EXTERNAL[d]}
assert_eq "neighbours at a carrier reach each other there" "$(arrived c d-r "$d_ip")" 20
lab_cut c d
assert_eq "until they are cut there" "$(arrived c d-r "$d_ip")" 0
assert_eq "which leaves them the coordinator" "$(arrived c coord "$COORD_IP")" 20
lab_restore c d

lab_link a down
assert_fails "a pulled plug stops all" lab_exec a ping -c 1 -W 1 "$COORD_IP"
lab_link a up
assert_soon "and a plug put back lets it pass" 3 lab_exec a ping -c 1 -W 1 "$COORD_IP"

# --- programs ---
lab_spawn sleeper a sleep 1000
assert "a program in the background runs" lab_alive sleeper
assert_status "and ends by the signal it gets" 143 lab_stop sleeper
printf '64 bytes from a: icmp_seq=%d ttl=64 time=1 ms\n' 1 2 4 7 >"$LAB_DIR/log/gaps.log"
assert_eq "answers of a ping that are missing are counted" "$(lab_pings_lost gaps)" 3
: >"$LAB_DIR/log/silent.log"
assert_fails "and a ping without an answer has not lost none" lab_pings_lost silent
