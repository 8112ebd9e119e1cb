# shellcheck shell=bash
# Router kinds as nftables rules.
#
# Linux' own NAT keeps the source port where it can, maps independently of the
# destination while the port is free, and lets in only what answers: it is port-
# restricted, provided that unsolicited packets are dropped in INPUT before
# conntrack confirms them. (Where they are not, such a packet leaves an entry
# behind which later forces the inside's own packet to another port.) The other
# kinds are made of it like this:
#
# - A recorder behind the NAT step writes, for every packet that leaves, "outside
#   port -> inside address and port" into a map. Destination NAT through this map
#   is a full cone. The recorder sees the port that was really chosen, also when
#   two inside hosts wanted the same one.
# - The same with the condition that the inside has sent to this address before
#   (a set of "outside port, remote address") is address-restricted.
# - masquerade fully-random picks a new port for each remote endpoint: symmetric. With
#   a range of 512 ports it is a carrier's block: symmetric-block. snat to a counter that
#   picks the port from a map is symmetric-sequential.
# - Without the drop in INPUT it is a bare masquerade, which an early packet from
#   outside spoils as told above: punch=fail.
#
# Interfaces: the outside is "wan", the inside is given ("lan", or "s*" at a carrier).

# The expectations that natprobe must confirm for each kind.
declare -rA LAB_KIND_IS=(
    [public]="mapping=none,filtering=EIF,ports=preserved,punch=ok"
    [full-cone]="mapping=EIM,filtering=EIF,ports=preserved,punch=ok"
    [address-restricted]="mapping=EIM,filtering=ADF,ports=preserved,punch=ok"
    [port-restricted]="mapping=EIM,filtering=APDF,ports=preserved,punch=ok"
    [symmetric]="mapping=APDM,filtering=APDF,ports=random,punch=fail"
    [symmetric-block]="mapping=APDM,filtering=APDF,ports=random,punch=fail"
    [symmetric-sequential]="mapping=APDM,filtering=APDF,ports=sequential,punch=fail"
    [carrier]="mapping=EIM,filtering=APDF,ports=preserved,punch=ok"
    [bare-masquerade]="mapping=EIM,filtering=APDF,ports=preserved,punch=fail"
)

# lab_can_punch KIND KIND: may two homes with these routers reach each other without
# a relay, each sending to where the other was last seen? Symmetric routers show
# every remote endpoint another port, so the peer must be one that lets in what
# comes from a port it has never sent to. Story 05 holds this to the rules above.
lab_can_punch() {
    case "$1 $2" in
    symmetric*" symmetric"*) return 1 ;;
    symmetric*" port-restricted" | "port-restricted symmetric"*) return 1 ;;
    symmetric*" carrier" | "carrier symmetric"*) return 1 ;;
    esac
}

# nat_rules KIND EXTERNAL_IP INSIDE_PREFIX INSIDE_INTERFACE HAIRPIN TIMEOUT_S
nat_rules() {
    local kind=$1 external=$2 prefix=$3 inside=$4 hairpin=$5 timeout_s=$6
    echo "table ip nat {"
    [[ $kind == bare-masquerade ]] || nat_input
    nat_forward
    nat_recorder "$timeout_s"
    echo "chain prerouting {"
    echo " type nat hook prerouting priority dstnat; policy accept;"
    case $kind in
    full-cone)
        echo " iifname wan meta l4proto udp dnat ip addr . port to udp dport map @mapped" ;;
    address-restricted)
        echo " iifname wan udp dport . ip saddr @permitted dnat ip addr . port to udp dport map @mapped" ;;
    esac
    if [[ $hairpin == 1 ]]; then
        echo " iifname \"$inside\" ip daddr $external meta l4proto udp dnat ip addr . port to udp dport map @mapped"
    fi
    echo "}"
    echo "chain postrouting {"
    echo " type nat hook postrouting priority srcnat; policy accept;"
    if [[ $kind == symmetric ]]; then
        echo " oifname wan masquerade fully-random"
    elif [[ $kind == symmetric-block ]]; then
        echo " oifname wan meta l4proto udp masquerade to :50000-50511 fully-random"
        echo " oifname wan masquerade"
    elif [[ $kind == symmetric-sequential ]]; then
        # numgen gives a port in the wrong byte order; a map gives it in the right one
        echo " oifname wan meta l4proto udp snat ip to $external:numgen inc mod 8192 map { $(nat_counted) }"
        echo " oifname wan masquerade"
    else
        echo " oifname wan masquerade"
    fi
    if [[ $hairpin == 1 ]]; then
        # the sender is seen with its own outside address (RFC 4787, REQ-9a)
        echo " oifname \"$inside\" ct status dnat ip saddr $prefix snat ip to $external"
    fi
    echo "}"
    echo "}"
}

# 0 : 40000, 1 : 40001, ...
nat_counted() {
    local i
    for ((i = 0; i < 8191; i++)); do
        echo "$i : $((40000 + i)),"
    done
    echo "8191 : 48191"
}

nat_input() {
    cat <<'RULES'
chain input {
 type filter hook input priority filter; policy accept;
 iifname wan ct state established,related accept
 iifname wan meta l4proto icmp accept
 iifname wan drop
}
RULES
}

nat_forward() {
    cat <<'RULES'
chain forward {
 type filter hook forward priority filter; policy accept;
 iifname wan ct state established,related accept
 iifname wan ct status dnat accept
 iifname wan drop
}
RULES
}

# Must be a filter chain behind srcnat: NAT chains see a flow's first packet only,
# and every packet has to renew the entry.
nat_recorder() {
    cat <<RULES
map mapped {
 type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout ${1}s; size 65535;
}
set permitted {
 type inet_service . ipv4_addr; flags dynamic,timeout; timeout ${1}s; size 65535;
}
chain recorder {
 type filter hook postrouting priority srcnat + 50; policy accept;
 oifname wan ct direction original meta l4proto udp update @mapped { udp sport : ct original ip saddr . ct original proto-src } update @permitted { udp sport . ip daddr }
 oifname wan ct direction reply meta l4proto udp update @mapped { udp sport : ct reply ip saddr . ct reply proto-src } update @permitted { udp sport . ip daddr }
}
RULES
}

# The stateful IPv6 firewall of a home: what the inside began may be answered.
nat_firewall6() {
    cat <<'RULES'
table ip6 firewall {
 chain forward {
  type filter hook forward priority filter; policy accept;
  iifname wan ct state established,related accept
  iifname wan icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request } accept
  iifname wan drop
 }
}
RULES
}

# nat_load ROUTER KIND EXTERNAL_IP INSIDE_PREFIX INSIDE_INTERFACE HAIRPIN TIMEOUT_S:
# makes the router be of this kind from now on; it forgets all it has mapped.
nat_load() {
    local router=$1 kind=$2 timeout_s=$7
    [[ ${LAB_KIND_IS[$kind]:-} ]] || lab_die "no router is called $kind (there are: ${!LAB_KIND_IS[*]})"
    shift
    {
        echo "table ip nat"
        echo "delete table ip nat"
        if [[ $kind != public ]]; then
            nat_rules "$@"
        fi
    } | lab_exec "$router" nft -f -
    lab_exec "$router" sysctl -qw net.netfilter.nf_conntrack_udp_timeout="$timeout_s" \
        net.netfilter.nf_conntrack_udp_timeout_stream="$timeout_s"
    "$LAB_TOOLS/ctflush" "$router"
}
