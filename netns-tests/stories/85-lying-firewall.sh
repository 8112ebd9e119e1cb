#!/bin/bash
# The IPv6 firewall of the default gateway is wrong, refuses, or sends without end: what it says is told, the
# child that asks it stays in bounds, and nobody but the gateway is spoken to.
#
#        coord
#          |
#        inet
#          |            20 ms
#        home-r         badfirewall: WANIPv6FirewallControl, and no PCP
#          |
#     home, other
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/gateway.sh"

lab_internet
overlay_coord
lab_home home port-restricted hosts=home,other v6=open
overlay_members home
lab_ip home-r <<IP
addr add fe80::1/64 dev lan nodad
IP
lab_ip home <<IP
addr add fe80::2/64 dev eth0 nodad
route replace default via fe80::1 dev eth0
IP
lab_exec home nft -f - <<RULES
table inet count {
 chain output {
  type filter hook output priority 0;
  ip6 daddr != fe80::1 tcp dport 5000 counter
 }
}
RULES
strangers() { lab_exec home nft list chain inet count output | sed -n 's/.*packets \([0-9]*\) .*/\1/p'; }

pinhole_own() { overlay_status home ".portmap.mappings[] | select(.own and .family == \"ipv6\") | $1"; }
pinhole_is() { [[ $(pinhole_own '"\(.state) \(.verdict)"') == "$1" ]]; }
igd_none() { ! pgrep -x tund-igd; }

begin() { # KIND
    kind=$1
    lab_spawn "bad-$kind" home-r "$LAB_TOOLS/badfirewall" --interface lan --kind "$kind" \
        --elsewhere "${LAB_IP6[other]}"
    wait_until 5 lab_log_has "bad-$kind" ready
    overlay_up home
}
end() { # COUNTS, a pattern
    overlay_down home
    assert "$kind: no child is left" igd_none
    lab_stop "bad-$kind" || :
    assert_match "$kind: it was asked what was to be asked" "$(tail -n 1 "$LAB_DIR/log/bad-$kind.log")" "$1"
}
# The network changes, and with it everything is renewed.
renew() {
    lab_ip home <<IP
addr $1 192.168.77.1/24 dev eth0
IP
}

begin works
assert_soon "works: the firewall is opened" 12 pinhole_is 'mapped unverified'
renew add
assert_soon "works: when it is renewed, the firewall says that packets have come in" 12 pinhole_is 'mapped answered'
assert_match "works: as status tells" "$(tundctl home status)" 'IPv6 pinhole .* and packets have come in through it'
end 'ssdp [1-9][0-9]* add 1 update 1 check 1 delete 1'

begin dead
assert_soon "dead: the firewall is opened" 12 pinhole_is 'mapped unverified'
renew del
closed_and_opened() { [[ $(grep -c AddPinhole "$LAB_DIR/log/bad-dead.log") == 2 ]]; }
assert_soon "dead: nothing came through, and it is closed and opened again" 12 closed_and_opened
assert_soon "dead: so it is open once more" 5 pinhole_is 'mapped unverified'
renew add
assert_soon "dead: nor that time, and it is left" 12 pinhole_is 'failed unverified'
assert_match "dead: as status tells" "$(tundctl home status)" 'IPv6 pinhole .*lets nothing through'
renew del
end 'add 2 update 2 check 2 delete 2'

begin forgets
assert_soon "forgets: the firewall is opened" 12 pinhole_is 'mapped unverified'
renew add
opened_twice() { [[ $(grep -c AddPinhole "$LAB_DIR/log/bad-forgets.log") == 2 ]]; }
assert_soon "forgets: a pinhole that it knows no more is opened anew" 12 opened_twice
assert_soon "forgets: and that is well" 5 pinhole_is 'mapped unverified'
renew del
end 'add [23] update [12] check 0 delete 1'

refuses() { # KIND WHY COUNTS
    begin "$1"
    assert_soon "$1: it is given up" 14 pinhole_is 'failed unverified'
    assert_match "$1: and why is told" "$(pinhole_own .why)" "$2"
    end "$3"
}
refuses name 'cannot be used' 'add 1 update 0 check 0 delete 0'
refuses large 'cannot be used' 'add 1 update 0 check 0 delete 0'
refuses huge 'neither PCP|does not answer' 'add [12] update 0 check 0 delete 0'
refuses refused 'the gateway refuses' 'add 1 update 0 check 0 delete 0'
refuses full 'no room' 'add 1 update 0 check 0 delete 0'
refuses off 'firewall is off' 'add 0 update 0 check 0 delete 0'
refuses closed 'the gateway refuses' 'add 0 update 0 check 0 delete 0'
refuses table 'neither PCP' 'add 0 update 0 check 0 delete 0'

begin elsewhere
assert_soon "elsewhere: the commands go to the gateway" 12 pinhole_is 'mapped unverified'
end 'add 1 update 0 check 0 delete 1'
assert_eq "nobody but the gateway was ever asked" "$(strangers)" 0
lab_exec home curl -s -m 1 "http://[${LAB_IP6[other]}]:5000/" || :
assert_ge "(and the count is one that counts)" "$(strangers)" 1
