#!/bin/bash
# An IPv6 firewall without PCP: it is opened by UPnP (WANIPv6FirewallControl), by the gateway's link-local
# address as routers announce themselves, and by a global one.
#
#                coord
#                  |
#        --------inet---------
#        |                   |     20 ms
#      home-r              away-r
#      miniupnpd, UPnP alone;    |
#      a stateful IPv6 firewall  away
#        |
#       home
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/gateway.sh"

lab_internet
overlay_coord
gateway_home home symmetric only=upnp v6=open
lab_home away port-restricted v6=open
overlay_members home
home6=${LAB_IP6[home]}

# pinhole_own FILTER: a jq filter over the mapping of home's own port in the IPv6 firewall.
pinhole_own() { overlay_status home ".portmap.mappings[] | select(.own and .family == \"ipv6\") | $1"; }
pinhole_by() { [[ $(pinhole_own '"\(.state) \(.by)"') == "mapped $1" ]]; }
firewall_rules() { lab_exec home-r nft list chain inet filter miniupnpd | grep -c '@nh,192,128' || :; }
firewall_has() { [[ $(firewall_rules) == "$1" ]]; }

# What comes in at home, whoever sent it.
lab_exec home nft -f - <<RULES
table inet count {
 chain input {
  type filter hook input priority 0;
  ip6 saddr ${LAB_IP6[away]} udp dport 1-65535 counter
 }
}
RULES
came_in() { lab_exec home nft list chain inet count input | sed -n 's/.*packets \([0-9]*\) .*/\1/p'; }
stranger_sends() { lab_exec away bash -c "echo hello >/dev/udp/$home6/$1"; }
comes_in() { # PORT: a stranger's datagram does
    local before
    before=$(came_in)
    stranger_sends "$1"
    wait_until 1 has_more_than "$before"
}
has_more_than() { (($(came_in) > $1)); }
stays_out() { ! comes_in "$1"; }

opened() { # GATEWAY-ADDRESS
    overlay_up home
    assert_soon "$1: the firewall is opened by UPnP" 12 pinhole_by upnp
    assert "$1: it has one rule for it" firewall_has 1
    port=$(pinhole_own .port)
    assert_eq "$1: outside is what is inside" "$(pinhole_own .external)" "[$home6]:$port"
    assert_eq "$1: for two hours" "$(pinhole_own .lease_s)" 7200
    assert_match "$1: portmap list has the gateway and the pinhole" "$(tundctl home portmap)" \
        "gateway $1: PCP absent, UPnP there.*$port/udp +\[$home6\]:$port +mapped +UPnP"
}

# --- by its link-local address ---
lab_ip home-r <<IP
addr add fe80::1/64 dev lan nodad
IP
lab_ip home <<IP
addr add fe80::2/64 dev eth0 nodad
route replace default via fe80::1 dev eth0
IP
opened fe80::1
assert "a stranger's datagram comes in" comes_in "$port"
assert "one to another port does not" stays_out "$((port ^ 1))"
assert_match "status tells people" "$(tundctl home status)" "IPv6 pinhole  \[$home6\]:$port by UPnP, nothing is known"

# --- renewed ---
lab_ip home <<IP
addr add 192.168.77.1/24 dev eth0
IP
was_renewed() { grep -qF 'WANIPv6FirewallControl:1#UpdatePinhole' "$LAB_DIR/log/gateway-home.log"; }
assert_soon "the network changes: it is renewed by its number" 12 was_renewed
assert_soon "and the gateway is asked whether anything came in" 5 lab_log_has gateway-home 'CheckPinholeWorking'
assert "it is still there" pinhole_by upnp
assert "there is still one rule" firewall_has 1
gateway_reboot home symmetric
assert "the gateway is rebooted: the pinhole is gone" firewall_has 0
lab_ip home <<IP
addr del 192.168.77.1/24 dev eth0
IP
assert_soon "the renewal finds that out, and opens it again" 12 firewall_has 1
assert "and a stranger's datagram comes in" comes_in "$port"
overlay_down home
assert "at the end it is closed" firewall_has 0
assert "for strangers, too" stays_out "$port"

# --- by a global one, after a tund that was killed ---
lab_ip home <<IP
route replace default via ${home6%:*}:1 dev eth0
IP
opened "${home6%:*}:1"
lab_stop tund-home KILL || :
assert "tund is killed: the pinhole stays" firewall_has 1
overlay_start home --port "$port"
assert_soon "the next one has it opened" 12 pinhole_by upnp
assert "it is the same one" firewall_has 1
overlay_down home
assert "and closes it" firewall_has 0
